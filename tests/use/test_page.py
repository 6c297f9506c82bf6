"""The page in a real browser: typed into, answered, refused, and nothing else loaded."""

from urllib.parse import urlsplit

import pytest

from tests.use import browser
from tests.use.conftest import Model, serving

pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    browser.PROGRAM is None, reason="chromium is not installed")]
TEXT = "document.body.innerText"


def type_into(page, name, text):
    page.evaluate(f"document.getElementById('{name}').focus()")
    page.call("Input.insertText", text=text)


def test_typing_asking_and_being_refused(tmp_path):
    model = Model()
    model.labels = ["<b>bug</b>", "feature"]  # names are text, whatever they look like
    with serving(model, text_characters=50) as (client, _), browser.opened(tmp_path) as page:
        page.call("Page.navigate", url=f"http://127.0.0.1:{client.port}/")
        page.wait_for(f"{TEXT}.includes('It answers with one of: <b>bug</b>, feature.')")
        type_into(page, "a", "abc")
        page.evaluate("document.querySelector('button').click()")
        answer = page.wait_for("document.querySelector('#answer tr + tr') && "
                               "document.getElementById('answer').innerText")
        assert [line.split() for line in answer.splitlines() if line.strip()] == [
            ["feature", "75.0", "%"], ["<b>bug</b>", "25.0", "%"]]
        type_into(page, "b", "defg")  # of a pair
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, modifiers=2, key="Enter", code="Enter",
                      windowsVirtualKeyCode=13)
        page.wait_for("document.getElementById('answer').innerText.includes('12.5 %')")
        assert model.batches == [["abc"], [("abc", "defg")]]
        type_into(page, "b", "x" * 60)
        page.evaluate("document.querySelector('button').click()")
        page.wait_for("document.getElementById('error').innerText.includes('at most 50 are taken')")
        assert page.evaluate("document.querySelectorAll('#answer tr').length") == 0
        asked = {urlsplit(event["params"]["request"]["url"]) for event in page.events
                 if event["method"] == "Network.requestWillBeSent"} - {urlsplit("data:,")}
        assert {url.netloc for url in asked} == {f"127.0.0.1:{client.port}"}
        assert {url.path for url in asked} == {"/", "/v1/model", "/v1/predict"}
        errors = [event["params"]["entry"]["text"] for event in page.events
                  if event["method"] == "Log.entryAdded"]
        assert all("422" in error for error in errors), errors  # the policy forbade nothing


def test_a_link_with_a_text_and_a_service_that_is_gone(tmp_path):
    model = Model()
    model.trained_on = "single"
    with browser.opened(tmp_path) as page:
        with serving(model) as (client, _):
            page.call("Page.navigate", url=f"http://127.0.0.1:{client.port}/#text=abc%20%3Ci%3E")
            page.wait_for("document.getElementById('answer').innerText.includes('87.5 %')")
            assert page.evaluate("document.getElementById('a').value") == "abc <i>"
            assert "Second text" not in page.evaluate(TEXT)  # of a model of single texts
        page.evaluate("document.querySelector('button').click()")
        page.wait_for("document.getElementById('error').innerText"
                      " === 'the service does not answer'")
