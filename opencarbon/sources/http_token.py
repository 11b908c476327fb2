"""The token of a service: what a header may carry, and what no message and no kept answer may show."""

import re
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr

from opencarbon.errors import ConfigError

_MESSAGE_CHARACTERS: Final = 200
_SHORTEST_TO_SCRUB_BYTES: Final = 8


class Token:
    """A token that shows itself to nobody; false where there is none.

    Parameters
    ----------
    token : pydantic.SecretStr or str, optional
        White space around it does not count.
    """

    def __init__(self, token: SecretStr | str | None) -> None:
        text = token.get_secret_value() if isinstance(token, SecretStr) else (token or "")
        self._secret = SecretStr(text.strip())

    def __bool__(self) -> bool:
        return bool(self._secret)

    def check(self) -> None:
        """Refuse a token that no header may carry, in a call whose local variables do not hold it.

        Raises
        ------
        ConfigError
        """
        if self and re.fullmatch(r"[\x21-\x7e]+", self.reveal()) is None:
            raise ConfigError("the token holds spaces or characters that no header may carry: copy it again")

    def reveal(self) -> str:
        """Token as it is sent.

        Returns
        -------
        str
        """
        return self._secret.get_secret_value()

    def scrubbed(self, text: str) -> str:
        """Words of others, fit for a message: short, and without the token in any spelling.

        Parameters
        ----------
        text : str

        Returns
        -------
        str
        """
        if self:
            for spelling in (self.reveal(), quote(self.reveal(), safe="")):
                text = text.replace(spelling, "***")
        return text if len(text) <= _MESSAGE_CHARACTERS else text[:_MESSAGE_CHARACTERS] + "..."

    def scrubbed_body(self, body: bytes) -> bytes:
        """Answer without the token; one too short to be one is left, it could be part of a word.

        Parameters
        ----------
        body : bytes

        Returns
        -------
        bytes
        """
        token = self.reveal().encode()
        return body.replace(token, b"***") if len(token) >= _SHORTEST_TO_SCRUB_BYTES else body
