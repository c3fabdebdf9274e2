"""A CLIP of a few thousand random weights, saved as a real one would be. Importing this costs no torch."""

from pathlib import Path
from typing import Any

WORDS = ("red", "blue", "shoe", "dress")
SIDE = 32
DIMENSION = 24
TOKEN_LIMIT = 16


def save_tiny_clip(folder: Path, *, seed: int = 0) -> Path:
    """Save a transformers folder: two layers a tower, pictures of 32 px, texts of 16 tokens, 24 dimensions."""
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = tiny_tokenizer()
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {
        **tower,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": TOKEN_LIMIT,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = CLIPConfig(
        text_config=text,
        vision_config={**tower, "image_size": SIDE, "patch_size": 8},
        projection_dim=DIMENSION,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        CLIPModel(config).save_pretrained(folder)
    scaling = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    CLIPProcessor(image_processor=scaling, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def tiny_tokenizer() -> Any:
    """CLIP's own tokeniser class over single bytes and a few whole words, each joined by one merge after another."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    merges = []
    for word in WORDS:
        joined = word[0]
        for letter in (*word[1:-1], f"{word[-1]}</w>"):
            if f"{joined}{letter}" not in tokens:
                merges.append((joined, letter))
                tokens.append(f"{joined}{letter}")
            joined += letter
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKEN_LIMIT)
