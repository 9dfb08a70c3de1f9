"""Adds up JUnit reports; the last line printed is exactly "N passed, N failed"."""

import sys
import xml.etree.ElementTree as ElementTree


def count(path):
    """(passed, failed, skipped) of one report; a report that cannot be read is one failure."""
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        print(f"no report {path}: {error}")
        return 0, 1, 0
    failed = sum(1 for case in cases if is_failed(case))
    skipped = sum(1 for case in cases if not is_failed(case) and is_skipped(case))
    return len(cases) - failed - skipped, failed, skipped


def is_failed(case):
    wrong = case.find("failure") is not None or case.find("error") is not None
    return wrong or case.get("status") == "fail"


def is_skipped(case):
    return case.find("skipped") is not None or case.get("status") in ("notrun", "disabled")


def main(paths):
    passed = failed = skipped = 0
    for path in paths:
        one = count(path)
        passed, failed, skipped = passed + one[0], failed + one[1], skipped + one[2]
    if passed + failed == 0:
        print("no test of that name ran")
        failed = 1
    if skipped:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
