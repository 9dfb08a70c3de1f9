#!/usr/bin/env python3
"""Writes relevance.tsv: 500 pairs of texts and Python's difflib ratio of each.

One line a pair: the texts as JSON strings without their quotes (so that \\n, \\t and \\\\ are two
characters each and nothing else is escaped), a tab between, then the ratio in its shortest exact
form. Run it again to get the same file: python3 tests/golden/make_relevance.py
"""
import difflib
import json
import pathlib
import random

KOREAN = (
    "직지는 금속 활자로 찍은 가장 오래된 책이다 문서를 바탕으로 질문에 답합니다 감사합니다 죄송하지만 "
    "회사는 휴가를 스무 날 준다 배포는 매주 목요일에 한다 청주 흥덕사에서 1377년에 만들었다 모델 서버 "
    "인공지능 백엔드는 자료를 밖으로 내보내지 않는다 안녕하세요 무엇을 도와드릴까요"
).split()
ENGLISH = (
    "the quick brown fox answers questions from its own documents and never sends them away a model "
    "that runs on this machine is private by design thanks sorry hello release every Thursday twenty "
    "days of leave printed with movable metal type in 1377 "
).split()
EMOJI = ["😀", "🎉", "👩‍💻", "🇰🇷", "❤️", "🚀", "é", "e\u0301", "漢字", "ﬁ", "\u1112\u1161\u11ab", "\n", "\t", "\\"]


def words(rng, source, count):
    return " ".join(rng.choice(source) for _ in range(count))


def edited(rng, text, times):
    """The text with pieces removed, doubled, moved or replaced."""
    letters = list(text)
    for _ in range(times):
        if not letters:
            break
        at = rng.randrange(len(letters))
        size = rng.randint(1, 8)
        piece = letters[at : at + size]
        kind = rng.randrange(4)
        del letters[at : at + size]
        if kind == 1:
            letters[at:at] = piece + piece
        elif kind == 2 and letters:
            to = rng.randrange(len(letters))
            letters[to:to] = piece
        elif kind == 3:
            letters[at:at] = list(rng.choice(EMOJI))
    return "".join(letters)


def pair(rng, index):
    source = [KOREAN, ENGLISH, KOREAN + ENGLISH, KOREAN + ENGLISH + EMOJI, EMOJI][index % 5]
    count = rng.choice([0, 1, 3, 8, 20] if index % 4 else [60, 90, 120])
    first = words(rng, source, count)
    kind = index % 3
    if kind == 0:
        second = edited(rng, first, rng.randint(0, 12))
    elif kind == 1:
        second = words(rng, source, rng.choice([0, 2, 8, 20, 70]))
    else:
        second = "".join(rng.choice("가나다ab😀") for _ in range(rng.randint(0, 260)))
    return (first, second) if rng.random() < 0.5 else (second, first)


def escaped(text):
    return json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')


def main():
    rng = random.Random(1377)
    lines = []
    for index in range(500):
        a, b = pair(rng, index)
        ratio = difflib.SequenceMatcher(None, a, b).ratio()
        lines.append(f"{escaped(a)}\t{escaped(b)}\t{ratio!r}\n")
    path = pathlib.Path(__file__).with_name("relevance.tsv")
    path.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
