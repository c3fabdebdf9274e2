"""Mugs, teapots and water bottles."""

from collections.abc import Mapping

import numpy as np

from backend.demo.curves import Points, join, polygon, sketch
from backend.demo.look import Drawing, Look
from backend.demo.materials import trim
from backend.demo.solids import mouth, turn
from backend.demo.studio import Studio
from backend.demo.tubes import cord


def upright(line: Points, degrees: float) -> Points:
    """A line drawn in the x-y plane, put into the upright plane at an angle round the product's axis."""
    angle = np.radians(degrees)
    return np.stack([line[:, 0] * np.cos(angle), line[:, 1], line[:, 0] * np.sin(angle)], axis=1)


# --- mugs -------------------------------------------------------------------------------------------------------------


def mug(studio: Studio, look: Look, profile: Points, handle: Points) -> None:
    """A mug: the handle goes behind or before the body, whichever side of it the camera stands on."""
    rim, top = float(profile[-1, 0]), float(profile[-1, 1])
    studio.stand(0, 0, float(profile[2, 0]), float(profile[2, 0]), float(profile[0, 1]))
    loop = upright(handle, 18)
    nearer = studio.camera.facing(upright(polygon("1,0"), 18)[0])[2] > 0.25
    grip = look.second.plain()
    if not nearer:
        cord(studio, loop, np.linspace(0.17, 0.13, len(loop)), grip)
    turn(studio, profile, look.dipped)
    mouth(studio, rim, top, 0.05, look.plain, look.inside)
    if nearer:
        cord(studio, loop, np.linspace(0.17, 0.13, len(loop)), grip, lift=0.03)


def mug_straight(studio: Studio, look: Look) -> None:
    """The straight coffee mug."""
    profile = join(sketch("0.44,-0.72 0.5,-0.71 0.56,-0.66 0.585,-0.56"), polygon("0.595,0.7 0.6,0.72"))
    handle = sketch("0.54,0.44 0.78,0.49 0.97,0.33 0.98,-0.02 0.83,-0.3 0.55,-0.4")
    mug(studio, look, profile, handle)


def mug_barrel(studio: Studio, look: Look) -> None:
    """A round-bellied mug."""
    profile = sketch("0.38,-0.66 0.46,-0.65 0.56,-0.52 0.66,-0.22 0.67,0.1 0.6,0.42 0.56,0.56 0.58,0.66")
    handle = sketch("0.56,0.36 0.78,0.44 0.98,0.3 0.99,0.02 0.86,-0.2 0.62,-0.27")
    mug(studio, look, profile, handle)


def mug_tapered(studio: Studio, look: Look) -> None:
    """A tall latte mug, narrow at the foot."""
    profile = join(sketch("0.3,-0.8 0.36,-0.79 0.4,-0.74 0.42,-0.64"), polygon("0.58,0.72 0.59,0.76"))
    handle = sketch("0.52,0.42 0.74,0.5 0.9,0.36 0.87,0.06 0.72,-0.2 0.46,-0.3")
    mug(studio, look, profile, handle)


# --- teapots ----------------------------------------------------------------------------------------------------------


def lip(beak: Points, radius: float) -> Points:
    """The mouth of a spout: a circle across its end."""
    along = beak[-1] - beak[-3]
    along = along / np.linalg.norm(along)
    turned = np.linspace(0, 2 * np.pi, 28)[:, None]
    return np.asarray(beak[-1] + radius * (np.cos(turned) * (0, 0, 1) + np.sin(turned) * np.cross(along, (0, 0, 1))))


def teapot(studio: Studio, look: Look, body: Points, lid: Points, spout: Points, handle: Points) -> None:
    """A teapot: spout on the right, handle on the left; whichever is farther away goes first."""
    studio.stand(0, 0, float(body[1, 0]), float(body[1, 0]), float(body[0, 1]))
    beak, grip = upright(spout, 0), upright(handle, 0)
    beak_nearer = studio.camera.facing(np.array([1.0, 0, 0]))[2] > 0
    top = look.second.plain()

    def draw_spout() -> None:
        width = np.interp(np.linspace(0, 1, len(beak)), [0, 0.25, 0.75, 1], [0.34, 0.29, 0.15, 0.12])
        cord(studio, beak, width, look.plain, round_start=True)
        studio.part(lip(beak, 0.062), look.plain, rounding=0)
        studio.part(lip(beak, 0.044), look.plain.tinted(0.3), rounding=0)

    def draw_handle() -> None:
        cord(studio, grip, np.interp(np.linspace(0, 1, len(grip)), [0, 0.5, 1], [0.14, 0.11, 0.13]), top)

    (draw_handle if beak_nearer else draw_spout)()
    turn(studio, body, look.main)
    turn(studio, lid, top, lift=0.012)
    (draw_spout if beak_nearer else draw_handle)()


def teapot_round(studio: Studio, look: Look) -> None:
    """The classic globe."""
    body = sketch("0.32,-0.6 0.36,-0.58 0.5,-0.46 0.61,-0.18 0.58,0.12 0.42,0.34 0.31,0.39")
    lid = sketch("0.32,0.385 0.33,0.41 0.26,0.49 0.12,0.54 0.05,0.56 0.06,0.6 0.1,0.65 0.08,0.71 0,0.73")
    spout = sketch("0.46,-0.28 0.68,-0.2 0.78,0.04 0.84,0.24 0.96,0.36")
    handle = sketch("-0.5,0.24 -0.72,0.33 -0.93,0.24 -0.95,-0.02 -0.8,-0.24 -0.53,-0.3")
    teapot(studio, look, body, lid, spout, handle)


def teapot_tall(studio: Studio, look: Look) -> None:
    """A tall, pear-shaped coffee and tea pot."""
    body = sketch("0.36,-0.74 0.42,-0.72 0.5,-0.56 0.51,-0.3 0.42,0.1 0.33,0.36 0.31,0.44")
    lid = sketch("0.32,0.43 0.34,0.46 0.27,0.56 0.13,0.63 0.04,0.66 0.05,0.7 0.09,0.74 0.07,0.8 0,0.82")
    spout = sketch("0.42,-0.36 0.62,-0.26 0.7,0.02 0.76,0.26 0.88,0.4")
    handle = sketch("-0.3,0.34 -0.56,0.44 -0.82,0.36 -0.85,0.04 -0.73,-0.28 -0.47,-0.42")
    teapot(studio, look, body, lid, spout, handle)


def teapot_low(studio: Studio, look: Look) -> None:
    """A low, wide pot with a flat shoulder."""
    body = sketch("0.4,-0.46 0.46,-0.45 0.62,-0.34 0.68,-0.12 0.6,0.12 0.4,0.24 0.34,0.26")
    lid = sketch("0.35,0.25 0.36,0.28 0.28,0.34 0.1,0.38 0.05,0.4 0.07,0.43 0.12,0.47 0.1,0.53 0,0.54")
    spout = sketch("0.54,-0.22 0.72,-0.14 0.8,0.04 0.86,0.16 0.97,0.25")
    handle = sketch("-0.52,0.16 -0.74,0.26 -0.95,0.18 -0.97,-0.04 -0.84,-0.2 -0.6,-0.25")
    teapot(studio, look, body, lid, spout, handle)


# --- bottles ----------------------------------------------------------------------------------------------------------


def bottle_flask(studio: Studio, look: Look) -> None:
    """An insulated flask with a screw cap and a carrying loop."""
    studio.stand(0, 0, 0.31, 0.31, -0.92)
    body = join(
        sketch("0.27,-0.92 0.3,-0.91 0.325,-0.87"),
        sketch("0.33,-0.84 0.33,0.3 0.325,0.38 0.28,0.48 0.215,0.53"),
    )
    turn(studio, body, look.dipped)
    turn(studio, polygon("0.2,0.53 0.2,0.565"), trim("steel"))
    loop = upright(sketch("-0.14,0.76 -0.17,0.9 -0.1,0.985 0.1,0.985 0.17,0.9 0.14,0.76"), 0)
    cap = look.second.plain() if look.two_tone else trim("rubber", "plastic")
    cord(studio, loop, 0.055, cap)
    turn(studio, join(polygon("0.225,0.56 0.235,0.57 0.235,0.74"), sketch("0.23,0.76 0.2,0.79 0,0.8")), cap)


def bottle_slim(studio: Studio, look: Look) -> None:
    """A slim bottle with sloping shoulders and a steel cap."""
    studio.stand(0, 0, 0.27, 0.27, -0.93)
    body = join(
        sketch("0.23,-0.93 0.26,-0.92 0.28,-0.87"),
        sketch("0.28,-0.8 0.28,0.1 0.265,0.26 0.2,0.44 0.145,0.56 0.135,0.68"),
    )
    turn(studio, body, look.dipped)
    cap = look.second.plain() if look.two_tone else trim("steel")
    turn(studio, polygon("0.155,0.67 0.16,0.68 0.16,0.88 0.15,0.9 0,0.905"), cap)


def bottle_sport(studio: Studio, look: Look) -> None:
    """A squeezable sports bottle with a waist and a drinking spout."""
    studio.stand(0, 0, 0.33, 0.33, -0.9)
    body = sketch(
        "0.3,-0.9 0.33,-0.88 0.35,-0.8 0.35,-0.4 0.345,-0.2 0.3,-0.06 0.29,0.04 0.335,0.18 0.345,0.34 0.34,0.42"
    )
    turn(studio, body, look.dipped)
    cap = look.second.plain() if look.two_tone else trim("rubber", "plastic")
    lid = join(polygon("0.355,0.41 0.36,0.42 0.36,0.54"), sketch("0.35,0.57 0.26,0.64 0.13,0.69 0.12,0.72"))
    turn(studio, lid, cap)
    nozzle = join(polygon("0.085,0.71 0.085,0.84"), sketch("0.11,0.86 0.115,0.92 0.07,0.95 0,0.955"))
    turn(studio, nozzle, trim("chalk"))


SHAPES: Mapping[str, Drawing] = {
    "mug-straight": mug_straight,
    "mug-barrel": mug_barrel,
    "mug-tapered": mug_tapered,
    "teapot-round": teapot_round,
    "teapot-tall": teapot_tall,
    "teapot-low": teapot_low,
    "bottle-flask": bottle_flask,
    "bottle-slim": bottle_slim,
    "bottle-sport": bottle_sport,
}
