"""Whether an experiment used the model and data set of a round's closed division."""

from __future__ import annotations

from ck_repo.contract.results import Results
from ck_repo.experiments.meta import ExperimentMeta
from ck_repo.rounds.round import Round
from ck_repo.store.installed import PACKAGE, Installed
from ck_repo.store.repositories import default_repository_alias

_COCO = "coco.2017"  # tag of COCO 2017 in its original and its prepared form
_VALIDATION = frozenset({"coco", "2017", "val"})  # tags of a registered copy


def differences(meta: ExperimentMeta, round_: Round) -> list[str]:
    """How the model and the data set of an experiment differ from the round's; empty if they do not.

    The round's models are those that packages of ck install or convert, according to the round's table of models. Registered
    files are not known to be among them. Published results of the closed division use both, as their round checked them.
    """
    if meta.published:
        open_ = meta.published.division != "closed"
        return ["results of the open division may use other models and data"] if open_ else []
    return [text for text in (_model(meta), _dataset(meta, round_)) if text]


def _model(meta: ExperimentMeta) -> str:
    model, component = meta.model or Installed(), meta.model.component if meta.model else None
    own = model.source == PACKAGE and component is not None and component.repository == default_repository_alias()
    if own and (model.model or {}).get("row") is not None:
        return ""
    return f"{(meta.results.model if meta.results else '') or '?'} is not one of the round's models"


def _dataset(meta: ExperimentMeta, round_: Round) -> str:
    results = meta.results or Results()
    tags = set(meta.dataset.tags if meta.dataset else ())
    if _COCO not in tags and not tags >= _VALIDATION:
        return f"{results.dataset or '?'} is not COCO 2017 validation, the round's data set"
    if results.images is None or results.images < round_.images:
        return f"{results.images} images of COCO 2017 validation were used, and the round uses {round_.images} with annotations"
    return ""
