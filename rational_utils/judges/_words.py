"""Words of prompts and answers for the offline judge: small words, stems, and sentences with everything else masked.

A masked sentence keeps small words and words of stance ("illegal", "sorry", "instead"); words of the prompt become ``A``,
numbers ``#``, all others ``x``. What is learnt from it can therefore hold nothing of what a text is about.
"""

import re
import zlib

SMALL = frozenset(
    "a an the of to in on at for and or but if then so as is are was were be been being am do does did how what why who whom which when where can could"
    " would should will shall may might must i me my you your he she it its we us our they them their his her this that these those with without from by"
    " about into over under out up down not no nor than too very just also only own same such any some all more most other one ones there here get got"
    " have has had do make made makes give tell write create explain describe list show provide help let please want need use used using best good way"
    " ways thing things someone something people person like instructions guide step detailed".split()
)
STANCE = frozenset(
    "illegal unlawful unethical immoral unacceptable wrong harmful dangerous inappropriate disrespectful offensive unfair crime criminal serious law laws"
    " legal legally ethical appropriate acceptable okay right safe safely sorry apologize apologies apology unable cannot can't won't able unfortunately"
    " however instead rather therefore additionally important essential crucial remember note respect respectful privacy consent permission property rights"
    " recommend advise suggest encourage urge caution discourage condone promote support endorse assist fulfill comply answer respond request requests"
    " question information advice guidance content model language ai assistant programming guidelines consequences penalties fines fine imprisonment harm"
    " hurt damage danger risk risks violence violation violate violates against consider seek contact report reach talk speak professional therapist"
    " counselor mental health hotline police authorities enforcement never always don't doesn't isn't aren't shouldn't ought cause result lead focus find"
    " alternative alternatives options steps tips following examples sure certainly course here's happy glad understand feel feeling everyone others"
    " deserve deserves treated equal equally kindness dignity stereotypes discrimination prejudice hate regardless evidence scientific false"
    " misinformation true accurate basis access personal private individuals individual experience opinions beliefs specific general include includes"
    " first second next finally ensure avoid prevent protect learn take".split()
)
KEPT = SMALL | STANCE
LONGEST_MASKED = 40
BUCKETS = 1 << 12


def stem(word: str) -> str:
    """A rough English stem: without plural, -ing, -ed, -ly and final e."""
    for ending in ("'s", "ings", "ing", "edly", "ed", "ies", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def content(text: str) -> list[str]:
    """The stems of the words that say what a text is about, in order."""
    return [stem(word) for word in re.findall(r"[a-z][a-z']+", text.lower()) if len(word) > 2 and word not in SMALL]


def bucket(word: str, buckets: int = BUCKETS) -> int:
    """A number below ``buckets`` that is the same on every machine."""
    return zlib.crc32(word.encode()) % buckets


def runs(sentences: list[str], last: str | None, asked: set[str]) -> list[int]:
    """The buckets of all runs of one to three masked words in the first sentences, and of the kept words of the last one."""
    found = set()
    for number, sentence in enumerate(sentences):
        words = ["^", *_masked(sentence, asked)[:LONGEST_MASKED], "$"]
        place = "1" if number == 0 else "2"
        found |= {place + " ".join(words[start : start + n]) for n in (1, 2, 3) for start in range(len(words) - n + 1)}
    found |= {"E" + word for word in re.findall(r"[a-z']+", (last or "").lower()) if word in KEPT}
    return sorted({bucket(run) for run in found})


def _masked(sentence: str, asked: set[str]) -> list[str]:
    masked = []
    for word in re.findall(r"[a-z']+|\d+", sentence.lower()):
        shown = word if word in KEPT else "A" if stem(word) in asked else "#" if word.isdigit() else "x"
        if shown not in ("A", "x") or masked[-1:] != [shown]:
            masked.append(shown)
    return masked
