"""Files for the tests of the processors."""

from collections.abc import Callable
from pathlib import Path

import pytest

from processors import DataError


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], str]:
    """Writes a file (text as UTF-8, line ends as given) and returns the folder it lies in."""
    def write_file(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return str(tmp_path)

    return write_file


@pytest.fixture
def problems(tmp_path: Path) -> Callable[..., list[str]]:
    """Calls a function that has to fail and returns its problems, the test's folder cut off."""
    def problems_of(function: Callable, *args, **kwargs) -> list[str]:
        with pytest.raises(DataError) as caught:
            function(*args, **kwargs)
        assert str(caught.value) == "\n".join(caught.value.problems)
        return [each.replace(f"{tmp_path}/", "").replace(str(tmp_path), "DIR")
                for each in caught.value.problems]

    return problems_of
