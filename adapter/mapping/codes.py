"""Two-way code tables. A code that is not in its table raises; it never becomes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapter.errors import UnknownCode


@dataclass(frozen=True)
class CodeTable:
    """FHIR code ⇄ our word. `also` lists FHIR codes that read as a word which is written differently: the explicit many-to-one pairs."""

    name: str
    pairs: Mapping[str, str]
    also: Mapping[str, str] = field(default_factory=dict)

    def decode(self, code: str) -> str:
        """Our word for a FHIR code. Raises UnknownCode."""
        word = self.pairs.get(code) or self.also.get(code)
        if word is None:
            raise UnknownCode(f"A code is not in the table {self.name}.")
        return word

    def encode(self, word: str) -> str:
        """The FHIR code for our word. Raises UnknownCode."""
        for code, ours in self.pairs.items():
            if ours == word:
                return code
        raise UnknownCode(f"A word has no code in the table {self.name}.")

    @property
    def words(self) -> list[str]:
        """All words that can be written."""
        return list(self.pairs.values())


def table(name: str, codes: str, /, also: Mapping[str, str] | None = None, **renamed: str) -> CodeTable:
    """A table of FHIR codes whose words differ only by hyphen and underscore, plus those renamed (`in_progress="active"`: word=code)."""
    pairs = {code: code.replace("-", "_") for code in codes.split()}
    pairs |= {code: word for word, code in renamed.items()}
    if len(set(pairs.values())) != len(pairs):
        raise UnknownCode(f"The table {name} has a word twice.")
    return CodeTable(name, pairs, also or {})
