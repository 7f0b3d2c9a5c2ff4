"""The words of a question: those known, what they say, and those that say nothing to us. (pure)"""

from __future__ import annotations

import re

from csv_names import Mention, words_of

MEASURES = {
    "count": r"how many|count|number of",
    "average": r"average|mean|avg|typical",
    "median": r"median",
    "largest": r"maximum|max|peak",
    "smallest": r"minimum|min",
    "total": r"total|sum|altogether|overall",
}
TOP = r"top|most|highest|largest|biggest|best|priciest|dearest"
BOTTOM = r"bottom|least|lowest|smallest|fewest|worst|cheapest"
PERIODS = {
    "day": r"daily|(?:per|by|each|every) day",
    "week": r"weekly|(?:per|by|each|every) week",
    "month": r"monthly|months?",
    "quarter": r"quarterly|quarters?",
    "year": r"yearly|annual(?:ly)?|years?",
    "": r"trends?|over time|develop\w*|grow\w*|histor\w+",  # as fits the span of the dates
}
OUTLIERS = r"outliers?|unusual\w*|anomal\w+|odd|strange|suspicious|extreme\w*|wrong"
COMPARING = r"compar\w*|rank\w*|break\w*|split|versus|vs|share|percent\w*|proportion|fraction"
DISTINCT = r"different|distinct|unique"
NUMBER_OF = rf"(?:how many|number of|count of)(?: the)?(?: (?:{DISTINCT}))? "
LIMITED = rf"(?:{TOP}|{BOTTOM}) (?P<n>\d{{1,3}})|(?P<m>\d{{1,3}}) (?:{TOP}|{BOTTOM})"
PICKED = (
    r"(?:first|last|past|previous|this|current|next) (?:\d+ )?(?:day|week|month|quarter|year)s?"
)
PICKED += r"|today|yesterday|tomorrow|first \d+|last \d+"
FILLER = (  # what may be said without changing what is asked
    "a|an|the|of|is|are|was|were|be|been|what|which|who|where|when|whose|show|me|give|us|get|"
    "please|tell|how|much|many|did|do|does|done|made|make|has|have|had|in|on|at|for|to|from|with|"
    "and|or|by|per|each|every|all|any|across|between|through|i|we|you|my|our|your|this|that|these|"
    "those|it|its|they|them|there|here|can|could|would|will|should|list|find|see|look|compute|"
    "calculate|work|out|up|add|plot|chart|graph|draw|table|data|file|csv|rows?|columns?|values?|"
    "numbers?|amounts?|figures?|entries|entry|records?|only|just|now|also|then|so|ok|okay|hi|"
    "hello|hey|thanks|thank|about|as|if|let|want|need|know|like|same|again|over|time|whole|"
    "different|distinct|unique|s|vs|versus|go|goes|went|come|comes|came|spends?|spent|costs?|"
    "anything|something|everything|everyone|expensive|costly|dear|most|more|earn\\w*|sold|sells?|"
    "selling|happen\\w*|change\\w*|answer|question"
)
MAX_ASKED = 500  # characters


def says(asked: str, words: str) -> bool:
    return re.search(rf"\b(?:{words})\b", asked) is not None


def in_digits(asked: str) -> str:
    """“top three” → “top 3”."""
    numbers = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    for number, word in enumerate(numbers, start=2):
        asked = re.sub(rf"\b{word}\b", str(number), asked)
    return asked


def unplaced_times(asked: str) -> tuple[str, list[str]]:
    """Times that depend on today, or on an order: not done, so said."""
    found = list(dict.fromkeys(re.findall(rf"\b(?:{PICKED})\b", asked)))
    notes = [f"I cannot pick “{time}” yet, so it is not heeded: name the dates." for time in found]
    return " ".join(re.sub(rf"\b(?:{PICKED})\b", " ", asked).split()), notes


def limit_of(asked: str) -> int | None:
    found = re.search(rf"\b(?:{LIMITED})\b", asked)
    return int(found["n"] or found["m"]) or None if found else None


def said_measures(asked: str, mentions: list[Mention]) -> list[str]:
    """Measures named, but for those whose words are a column's name: “average total”."""
    words = words_of(asked)
    taken = [range(words[i].start(), words[i].end()) for m in mentions for i in m.words]
    return [
        name
        for name, pattern in MEASURES.items()
        if any(
            not any(found.start() in span for span in taken)
            for found in re.finditer(rf"\b(?:{pattern})\b", asked)
        )
    ]


def not_understood(asked: str, mentions: list[Mention]) -> list[str]:
    """Words that changed nothing in the answer; whoever asked may have meant something by them."""
    known = [*MEASURES.values(), TOP, BOTTOM, *PERIODS.values(), OUTLIERS, COMPARING, FILLER]
    pattern = "|".join([NUMBER_OF.strip(), LIMITED, *known, "[a-z]"])
    covered = [range(*found.span()) for found in re.finditer(rf"\b(?:{pattern})\b", asked)]
    named = {at for mention in mentions for at in mention.words}
    left: list[list[re.Match[str]]] = [[]]
    for at, word in enumerate(words_of(asked)):
        if at in named or any(word.start() in span for span in covered):
            left.append([])
        else:
            left[-1].append(word)
    phrases = [asked[run[0].start() : run[-1].end()] for run in left if run]
    words = ", ".join(f"“{phrase}”" for phrase in dict.fromkeys(phrases))
    return [f"I did not understand {words}, so it changed nothing here."] if phrases else []
