"""Films of recorded units, made by replaying their actions: they cost the run nothing and cannot change it."""

from seer_bench.store.videos import EVERY
from seer_bench.video.clips import make_clips
from seer_bench.video.films import Film, FilmPlan, film_unit, plan_films
from seer_bench.video.foresight import ForesightRequest, Onlooker
from seer_bench.video.picture import DEFAULT_SIZE, HOLD, LARGEST, SMALLEST, Expectation, caption, fit

__all__ = [
    "DEFAULT_SIZE",
    "EVERY",
    "HOLD",
    "LARGEST",
    "SMALLEST",
    "Expectation",
    "Film",
    "FilmPlan",
    "ForesightRequest",
    "Onlooker",
    "caption",
    "film_unit",
    "fit",
    "make_clips",
    "plan_films",
]
