"""What is found in an expression of PromQL."""

from infra.promql import Matcher, Selector, named


def test_series_are_found_and_functions_words_and_numbers_are_none() -> None:
    found = named('sum by (job, le) (rate(a_total{x="1"}[5m])) / 1e3 > 0.5 and on (job) b:c offset 1h or vector(1)')
    assert found.selectors == [Selector("a_total", (Matcher("x", "=", "1"),)), Selector("b:c", ())]
    assert found.grouped_by == {"job", "le"}


def test_every_kind_of_matcher_is_read() -> None:
    [selector] = named('up{a="b, c}", d!="", e=~"f|g", h!~"i.\\"."}').selectors
    assert [(m.label, m.operator, m.value) for m in selector.matchers] == [
        ("a", "=", "b, c}"),
        ("d", "!=", ""),
        ("e", "=~", "f|g"),
        ("h", "!~", 'i.\\".'),
    ]


def test_grouping_behind_the_expression_is_read_too() -> None:
    assert named("sum(a) by (b)").grouped_by == {"b"}
    assert [one.series for one in named("a * on (b) group_left (c) d").selectors] == ["a", "d"]
