# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs of the kinds that front ends emit, in spellings that none of the stored files has."""

from __future__ import annotations

from frontend_choices import choices
from frontend_decodes import decodes
from frontend_joins import joins
from frontend_matmuls import matmuls
from frontend_products import products
from frontend_selections import selections
from frontend_text import BATCHED, Variation, X, Y, function
from frontend_words import words


def variations() -> list[Variation]:
    """Decodes with one matmul, and matmuls with one decode."""
    found = [
        Variation(f"decode-{name}", function(text, BATCHED, X, Y), options, remark)
        for name, text, options, remark in decodes()
    ]
    return [*found, *matmuls(), *products(), *joins(), *selections(), *words(), *choices()]
