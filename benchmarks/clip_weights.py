"""Weights of CLIP ViT-B/32's shape with random numbers in them: as fast as the real ones, without a model hub."""

from pathlib import Path

SHAPE = "CLIP ViT-B/32 by shape, random weights"


def save_clip_of_real_size(folder: Path) -> Path:
    """A transformers folder of 600 MB: 151 million numbers, 512 dimensions, pictures of 224 pixels."""
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.utils import logging

    from tests.fakes.tiny_clip import tiny_tokenizer

    logging.disable_progress_bar()
    tokenizer = tiny_tokenizer()
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config={**ends, "pad_token_id": tokenizer.pad_token_id})).save_pretrained(folder)
    CLIPProcessor(image_processor=CLIPImageProcessorPil(), tokenizer=tokenizer).save_pretrained(folder)
    return folder
