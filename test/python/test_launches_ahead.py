# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a kernel may read before `griddepcontrol.wait`, by the launches ahead of it."""

from __future__ import annotations

import numpy as np
import pytest
from interpreter import LET, WAIT, launch
from mxfp4._sim_driver import SimDriver
from mxfp4._sim_memory import DeviceArray


def kernel(*ahead: str, loads: str = "", behind: str = "") -> str:
    """A kernel that loads a word, stores one, and has instructions ahead of both and between."""
    return f"""
.version 8.0
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 from, .param .u64 to)
{{
  .reg .b32 %r<4>;
  .reg .b64 %d<4>;
  ld.param.b64 %d1, [from];
  ld.param.b64 %d2, [to];
  {" ".join(ahead)}
  {loads}
  ld.global.b32 %r1, [%d1];
  {behind}
  st.global.b32 [%d2], %r1;
  ret;
}}
"""


LATE = kernel(WAIT, LET)
"""Lets the next kernel begin when all kernels ahead of it have ended."""
AT_ONCE = kernel(LET, WAIT)
LAST = kernel(WAIT)
"""Lets the next kernel begin when it has ended itself."""
FENCE = "fence.acq_rel.gpu;"
AHEAD = kernel(FENCE, behind=f"{WAIT} {LET}")
"""Loads before it waits, and behind a fence: an L1 may hold what was there before."""


class Chain:
    """Launches one behind the other, of kernels with a word to load and one to store."""

    def __init__(self) -> None:
        self.driver = SimDriver()
        self.words = [
            self.driver.allocate(np.zeros(1, np.int32), f"word {i}") for i in range(4)
        ]  # fmt: skip

    def found(self, ptx: str, source: int, target: int, programmatic: bool = True) -> set[str]:
        """The checks that a launch fails."""
        words: list[DeviceArray | int | bytes | None] = [self.words[source], self.words[target]]
        hazards = launch(self.driver, ptx, "k", words, programmatic=programmatic)
        return {hazard["check"] for hazard in hazards}


def test_the_word_of_a_launch_that_has_ended_is_read_ahead() -> None:
    chain = Chain()
    assert not chain.found(LATE, 0, 1)
    assert not chain.found(LATE, 0, 2)
    assert not chain.found(AHEAD, 1, 3)  # the first launch has ended
    assert not chain.found(AHEAD, 2, 0)  # and so has the second
    assert chain.found(AHEAD, 0, 3) == {"dependency"}  # of the launch ahead


@pytest.mark.parametrize(
    ("ahead", "is_enough"),
    [
        ((), False), ((FENCE,), True), (("fence.sc.sys;",), True), (("membar.gl;",), True),
        (("fence.acq_rel.cta;",), False), (("membar.cta;",), False),
        (("fence.proxy.async.global;",), False),
    ],
)  # fmt: skip
def test_a_fence_is_ahead_of_what_is_read_ahead(ahead: tuple[str, ...], is_enough: bool) -> None:
    chain = Chain()
    assert not chain.found(LATE, 0, 1)
    assert not chain.found(LATE, 0, 2)
    found = chain.found(kernel(*ahead, behind=f"{WAIT} {LET}"), 1, 3)
    assert found == (set() if is_enough else {"dependency"})


def fenced_by(warp: int, meets: str) -> str:
    """A kernel in which one warp has a fence, and the second one reads ahead."""
    only = f"mov.u32 %r2, %tid.x; shr.u32 %r2, %r2, 5; setp.eq.u32 %p1, %r2, {warp}; @%p1 {FENCE}"
    last = f"setp.ne.u32 %p1, %r2, 1; @%p1 bra end; ld.global.b32 %r1, [%d1]; end: {WAIT} {LET}"
    return kernel(only, meets, last).replace(".reg .b32", ".reg .pred %p<2>; .reg .b32")


@pytest.mark.parametrize(
    ("warp", "meets", "is_enough"),
    [(0, "bar.sync 0;", True), (0, "", False), (1, "", True)],
)
def test_a_barrier_hands_a_fence_on(warp: int, meets: str, is_enough: bool) -> None:
    chain = Chain()
    for target in (1, 2):
        assert not chain.found(LATE, 0, target)
    words: list[DeviceArray | int | bytes | None] = [chain.words[1], chain.words[3]]
    ptx = fenced_by(warp, meets)
    hazards = {hazard["check"] for hazard in launch(chain.driver, ptx, "k", words, block=64)}
    assert ("dependency" in hazards) != is_enough


def test_kernels_ahead_of_one_that_lets_the_next_begin_at_once_may_still_run() -> None:
    chain = Chain()
    assert not chain.found(LATE, 0, 1)
    assert not chain.found(AT_ONCE, 0, 2)
    assert chain.found(AHEAD, 1, 3) == {"dependency"}


@pytest.mark.parametrize("programmatic", [True, False])
def test_launches_that_do_not_begin_early_have_ended_what_is_ahead(programmatic: bool) -> None:
    chain = Chain()
    assert not chain.found(LATE, 0, 1)
    # This one, or the next one, begins when all is done.
    assert not chain.found(LAST if programmatic else AT_ONCE, 0, 2, programmatic)
    assert not chain.found(AHEAD, 1, 3)
    assert not chain.found(LATE, 0, 2)
    assert not chain.found(AHEAD, 2, 3, programmatic=False)


def test_a_kernel_that_never_waits_leaves_the_others_running() -> None:
    chain = Chain()
    assert not chain.found(LATE, 0, 1)
    assert not chain.found(LATE, 0, 2)
    assert chain.found(kernel(LET), 1, 3) == {"dependency"}  # it stores
    assert chain.found(AHEAD, 2, 0) == {"dependency"}


def test_what_is_ahead_of_the_first_launch_is_not_known() -> None:
    assert Chain().found(AHEAD, 0, 1) == {"dependency"}


def test_nothing_is_stored_ahead() -> None:
    chain = Chain()
    assert not chain.found(LATE, 0, 1)
    assert chain.found(kernel(loads="st.global.b32 [%d2], %r1;", behind=WAIT), 0, 3)


GLANCE = "ld.relaxed.gpu.global.b32 %r2, [%d1];"
USE = "mov.b32 %r1, %r2;"


def glimpse(seed: int, *ahead: int) -> tuple[int, set[str]]:
    """What a relaxed load before the wait finds of the first word, and the checks that fail.

    Launches store from and to the words ``ahead`` before; all words are 7.
    """
    driver = SimDriver(seed=seed)
    words = [driver.allocate(np.full(1, 7, np.int32), f"word {i}") for i in range(4)]

    def found(ptx: str, source: int, target: int) -> set[str]:
        values: list[DeviceArray | int | bytes | None] = [words[source], words[target]]
        return {hazard["check"] for hazard in launch(driver, ptx, "k", values, block=1)}

    for source, target in zip(ahead[::2], ahead[1::2], strict=True):
        assert not found(LATE, source, target)
    checks = found(kernel(GLANCE, behind=f"{WAIT} {LET} {USE}").replace(
        "ld.global.b32 %r1, [%d1];", ""), 0, 3)  # fmt: skip
    return int(words[3].numpy()[0]), checks


def test_a_relaxed_load_finds_anything_of_what_launches_ahead_write() -> None:
    """It is no hazard, so that a kernel may guess; whoever computes with it is wrong soon."""
    for ahead in ((1, 2, 1, 0), (), (1, 0, 1, 2)):  # written by the last, unknown, by the older one
        found = [glimpse(seed, *ahead) for seed in range(40)]
        assert not any(checks for _, checks in found)
        values = {value for value, _ in found}
        assert {7, 0, -1, 2**31 - 1, -(2**31)} <= values
        assert len(values) > 6


def test_a_relaxed_load_finds_what_no_launch_ahead_writes() -> None:
    assert all(glimpse(seed, 1, 2, 1, 2) == (7, set()) for seed in range(20))


@pytest.mark.parametrize(
    ("offset", "size", "check"), [(0, 16, ""), (0, 32, "out-of-bounds"), (16, 16, "out-of-bounds"),
                                  (4, 16, "misaligned"), (0, 8, "bulk-size")],
)  # fmt: skip
def test_what_is_fetched_into_the_cache_exists(offset: int, size: int, check: str) -> None:
    driver = SimDriver()
    words: list[DeviceArray | int | bytes | None] = [
        driver.allocate(np.zeros(4 + 4 * (offset == 4), np.int32), name) for name in ("from", "to")
    ]
    fetch = f"cp.async.bulk.prefetch.L2.global [%d1+{offset}], {size};"
    ptx = kernel(fetch, behind="", loads=WAIT)
    found = {hazard["check"] for hazard in launch(driver, ptx, "k", words, block=1)}
    assert found == ({check} if check else set())


def with_count(body: str) -> str:
    """A kernel with addresses of a word to load, of two to store, and of a count, in %d1 to %d3."""
    return f"""
.version 8.0
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 from, .param .u64 to, .param .u64 count)
{{
  .reg .pred %p<2>;
  .reg .b32 %r<4>;
  .reg .b64 %d<4>;
  ld.param.b64 %d1, [from];
  ld.param.b64 %d2, [to];
  ld.param.b64 %d3, [count];
  {body}
  ret;
}}
"""


def counting(*stores: str) -> str:
    """A kernel that waits and stores what it has loaded, in two words, and counts."""
    return with_count(f"{WAIT} {LET} ld.global.b32 %r1, [%d1]; {' '.join(stores)}")


FIRST, SECOND = "st.global.b32 [%d2], %r1;", "st.global.b32 [%d2+4], %r1;"
RAISE = "red.release.gpu.global.add.u32 [%d3], 1;"
BEHIND = "fence.acq_rel.gpu; red.relaxed.gpu.global.add.u32 [%d3], 1;"
COUNTED = counting(FIRST, RAISE, SECOND, BEHIND)


def awaiting(least: int, offset: int, acquire: str = "acquire", to: str = "") -> str:
    """A kernel that waits for a count and then loads one of these words, or stores in one."""
    use = to or f"ld.global.b32 %r2, [%d1+{offset}]; st.global.b32 [%d2], %r2;"
    return with_count(f"""
again:
  ld.{acquire}.gpu.global.b32 %r1, [%d3];
  setp.lt.u32 %p1, %r1, {least};
  @%p1 bra again;
  {use} {WAIT} {LET}
""")


class Counted:
    """A launch that counts two words that it stores, and one behind it."""

    def __init__(self) -> None:
        self.driver = SimDriver(max_instructions=10_000)
        self.memory = {
            name: self.driver.allocate(np.zeros(2, np.int32), name)
            for name in ("old", "between", "new", "count")
        }

    def found(self, ptx: str, source: str, target: str) -> set[str]:
        """The checks that a launch fails."""
        values: list[DeviceArray | int | bytes | None] = [
            self.memory[name] for name in (source, target, "count")
        ]
        return {hazard["check"] for hazard in launch(self.driver, ptx, "k", values, block=1)}

    def behind(self, ptx: str, target: str = "new", ahead: str = COUNTED) -> set[str]:
        """The checks that a launch behind the counting one fails."""
        assert not self.found(ahead, "old", "between")
        return self.found(ptx, "between", target)


def test_what_is_counted_is_read_ahead() -> None:
    assert not Counted().behind(awaiting(1, 0))
    assert not Counted().behind(awaiting(2, 4))


@pytest.mark.parametrize(
    ("least", "offset"), [(0, 0), (1, 4), (0, 4)], ids=["too low", "of another", "not at all"]
)
def test_counts_that_say_too_little_are_found(least: int, offset: int) -> None:
    assert Counted().behind(awaiting(least, offset)) == {"dependency"}


def test_counts_are_acquired_and_released() -> None:
    assert Counted().behind(awaiting(2, 0, "relaxed")) == {"dependency"}
    early = counting(RAISE, FIRST, BEHIND)
    assert Counted().behind(awaiting(1, 0), ahead=early) == {"dependency"}
    plain = counting(FIRST, "red.relaxed.gpu.global.add.u32 [%d3], 1;")
    assert "dependency" in Counted().behind(awaiting(1, 0), ahead=plain)


def test_counts_that_are_never_reached_are_waited_for_without_end() -> None:
    assert Counted().behind(awaiting(3, 0)) == {"launch"}


def test_what_the_launch_ahead_does_not_use_is_stored_ahead_of_the_wait() -> None:
    store = "st.global.b32 [%d2], 1;"
    assert not Counted().behind(awaiting(1, 0, to=store))
    for used in ("old", "between"):
        assert Counted().behind(awaiting(2, 0, to=store), used) == {"dependency"}
