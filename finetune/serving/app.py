"""The HTTP interface of a trained model.

    app = create_app(Predictor("output/mine"), Limits())      # an ASGI application

    POST /v1/predict    {"texts": ["It crashes"]}; of pairs {"texts": [["a text", "its pair"]]}
    GET  /v1/model      labels, longest input, limits
    GET  /health/live   the process answers;   /health/ready   it takes texts;   /health   both
    GET  /metrics       for Prometheus
    GET  /openapi.json  all of this for programs;   /   a page to type into
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.exceptions import HTTPException

from finetune.answers import as_records
from finetune.long_texts import described
from finetune.multilabel.scores import HALF
from finetune.serving import page
from finetune.serving.batcher import Batcher, QueueFull
from finetune.serving.guard import Guard
from finetune.serving.limits import Limits
from finetune.serving.metrics import Metrics
from finetune.task_kind import TaskKind
from finetune.texts import PAIRS, SINGLE, problem
from finetune.windows import estimated

LOGGER = logging.getLogger("finetune")


class Classified(BaseModel):
    """The answer for a text of a classifier."""

    label: str
    confidence: float
    probabilities: dict[str, float]


class Labelled(BaseModel):
    """The answer for a text of a multi-label classifier."""

    labels: list[str]
    probabilities: dict[str, float]


class ClassifiedOrNot(Classified):
    """The same of a classifier that has a threshold: whether the confidence reaches it."""

    answered: bool


class Scored(BaseModel):
    """The answer for a text of a regression."""

    score: float


class Refused(BaseModel):
    """What was wrong with a request."""

    errors: list[str]


REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refused, "description": about} for status, about in (
        (400, "Not JSON"), (408, "Did not come in whole in time"), (413, "Too large"),
        (415, "Not announced as JSON"),
        (422, "Not as described: no text, another field than texts, an empty text or one that is "
         "too long, a pair for a model of single texts or the other way round"),
        (503, "Too many texts wait, or too many connections are open: try again after "
         "Retry-After seconds"))}


_TAKEN = {SINGLE: "Single texts, as the model was trained on",
          PAIRS: "Pairs of texts, as the model was trained on"}


class Refusal(Exception):
    """A request that is not served.

    Args:
        status: HTTP's.
        errors: what is wrong, and what is allowed.
        headers: of the answer.
    """

    def __init__(self, status: int, errors: list[str], headers: dict[str, str] | None = None):
        self.status, self.errors, self.headers = status, errors, headers
        super().__init__(*errors)

    def response(self) -> JSONResponse:
        """Returns the answer."""
        return JSONResponse({"errors": self.errors}, self.status, self.headers)


def create_app(model: Any, limits: Limits, hosts: list[str] | None = None,
               connections: Callable[[], int] = lambda: 0) -> FastAPI:
    """Returns the application.

    Args:
        model: a `trained.Predictor`, or what has its answers, labels, kind, max_seq_length,
            long_texts, calibration and trained_on.
        limits: of requests and batches.
        hosts: names under which it may be addressed; None: any. (A page elsewhere could otherwise
            reach a service of this machine under a name of its own: DNS rebinding.)
        connections: tells how many are open, the asking one among them.
    """
    metrics = Metrics()
    batcher = Batcher(model.answers, limits, metrics,
                      lambda texts: min(_windows(model, texts), limits.queue_rows))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with batcher:
            yield

    app = FastAPI(title="A BERT classifier", version="1", lifespan=lifespan, docs_url=None,
                  redoc_url=None,  # both pages load scripts from elsewhere
                  redirect_slashes=False)  # a refusal says more than an empty answer
    router = APIRouter()
    _add_predict(router, model, limits, batcher)
    _add_others(router, model, limits, batcher, metrics)
    app.include_router(router)
    _add_errors(app, limits)
    paths = frozenset([*(route.path for route in router.routes), "/openapi.json"])
    app.add_middleware(Guard, limits=limits, metrics=metrics, paths=paths,
                       hosts=None if hosts is None else frozenset(hosts), connections=connections)
    return app


def _add_predict(router: APIRouter, model: Any, limits: Limits, batcher: Batcher) -> None:
    text = Annotated[str, Field(strict=True)]
    texts = Annotated[list[text | tuple[text, text]], Field(
        min_length=1, max_length=limits.request_rows,
        description=f"{_TAKEN.get(model.trained_on, 'Texts, or pairs of texts')}; each text of at "
        f"most {limits.text_characters:,} characters and not empty (of a pair the first).",
        examples=[[["a text", "its pair"] if model.trained_on == PAIRS else
                   "It crashes when I save"]])]
    asked = create_model("Texts", __config__=ConfigDict(extra="forbid"), texts=(texts, ...))
    answer = {TaskKind.REGRESSION: Scored, TaskKind.MULTILABEL: Labelled}.get(
        model.kind, Classified if model.calibration.threshold is None else ClassifiedOrNot)
    answered = create_model("Answers", predictions=(list[answer], ...))

    @router.post("/v1/predict", response_model=answered, responses=REFUSALS)
    async def predict(body: asked) -> Any:
        """Answers each text, in their order."""
        problems = [f"texts[{place}]: {why}" for place, text in enumerate(body.texts)
                    if (why := _text_problem(text, limits) or problem(
                        text, model.trained_on, '["a text", "its pair"]'))]
        windows = _windows(model, body.texts)
        if windows > limits.request_rows and len(body.texts) > 1:
            problems.append(f"texts: are so long that they count as {windows:,}, windows of "
                            f"{model.max_seq_length} tokens; at most {limits.request_rows:,} are "
                            "taken, or a single text")
        if problems:
            raise Refusal(422, problems)
        try:
            answers = await batcher.answers(body.texts)
        except QueueFull:
            raise Refusal(503, [f"too many texts wait already (at most {limits.queue_rows:,}); "
                                "try again later"], {"Retry-After": "1"}) from None
        # In a thread: with thousands of labels it takes seconds, for which nobody else is to wait.
        # A stand-in for a Predictor need not have thresholds.
        return await asyncio.to_thread(lambda: JSONResponse({"predictions": as_records(
            model.labels, answers, model.calibration, getattr(model, "thresholds", HALF))}))


def _windows(model: Any, texts: list[Any]) -> int:
    """Returns as how many texts some texts count: one that is read in windows as several."""
    return sum(estimated(sum(map(len, text)) if isinstance(text, tuple) else len(text),
                         model.max_seq_length, model.long_texts) for text in texts)


def _text_problem(text: Any, limits: Limits) -> str | None:
    for one in text if isinstance(text, tuple) else (text,):
        if len(one) > limits.text_characters:
            return (f"has {len(one):,} characters; at most {limits.text_characters:,} are taken "
                    "(the model reads a few hundred words at a time)")
        if any("\ud800" <= character <= "\udfff" for character in one):
            return "holds half of a surrogate pair, which is no character"
    first = text[0] if isinstance(text, tuple) else text
    return None if first.strip() else "is empty"


def _add_others(router: APIRouter, model: Any, limits: Limits, batcher: Batcher,
                metrics: Metrics) -> None:
    @router.get("/v1/model")
    async def about() -> dict[str, Any]:
        """Tells what the model answers with and what it takes."""
        many = model.kind is TaskKind.MULTILABEL
        return {"kind": model.kind.value, "labels": model.labels,
                **({"thresholds": dict(zip(model.labels, model.thresholds, strict=True))}
                   if many else {}),
                "max_seq_length": model.max_seq_length,
                **described(model.long_texts), "texts": model.trained_on,
                "temperature": model.calibration.temperature,
                "threshold": model.calibration.threshold,
                "limits": {name: getattr(limits, name) for name in (
                    "text_characters", "request_rows", "body_bytes")}}

    @router.get("/health/live")
    async def live() -> dict[str, bool]:
        """Answers as long as the process does."""
        return {"live": True}

    @router.get("/health/ready", responses={503: {"description": "It takes no text now"}})
    @router.get("/health", responses={503: {"description": "It takes no text now"}})
    async def ready() -> JSONResponse:
        """Tells whether a text would be taken now."""
        is_ready = batcher.is_ready()
        return JSONResponse({"live": True, "ready": is_ready}, 200 if is_ready else 503)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def numbers() -> PlainTextResponse:
        """Tells requests, texts, times and the queue, for Prometheus."""
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4")

    @router.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def typing() -> HTMLResponse:
        return HTMLResponse(page.HTML, headers={"Content-Security-Policy": page.POLICY})


def _add_errors(app: FastAPI, limits: Limits) -> None:
    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Refusal) -> JSONResponse:
        return error.response()

    @app.exception_handler(HTTPException)
    async def failed(_: Request, error: HTTPException) -> JSONResponse:
        said = {400: "the body is no JSON in UTF-8",
                404: "there is no such path; /openapi.json names all",
                405: "the path is there, but not for this method"}
        return Refusal(error.status_code, [said.get(error.status_code, str(error.detail))],
                       error.headers).response()

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return _invalid(request, error, limits).response()

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> JSONResponse:
        LOGGER.error("a request failed: %s", " ".join(str(error).split())[:500])
        return Refusal(500, ["the model could not answer; the service's log has the reason"]
                       ).response()


def _invalid(request: Request, error: RequestValidationError, limits: Limits) -> Refusal:
    """Returns what to answer to a body that is not as described, without repeating it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return Refusal(415, ["the body has to be JSON, sent with Content-Type: application/json"])
    told = []
    for one in error.errors():
        place = one["loc"][1:]
        if one["type"] == "json_invalid":
            return Refusal(400, [f"the body is no JSON: {one['ctx']['error']} at character "
                                 f"{place[0]}"])
        if place[:1] == ("texts",) and len(place) > 1:
            told.append(f"texts[{place[1]}]: must be a string, or a list of two strings (a pair)")
        elif place == ("texts",):
            told.append(f"texts: must be a list of 1 to {limits.request_rows:,} texts")
        elif place:
            told.append(f"{str(place[0])[:50]!r} is not known; only texts is")
        else:
            told.append('the body must be an object: {"texts": ["a text", ["a text", "its pair"]]}')
    return Refusal(422, list(dict.fromkeys(told))[:20])
