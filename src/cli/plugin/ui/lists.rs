//! Lists that are cut into parts, with links to the others, and the forms that choose what is in them.

use super::frame::thousands;
use crate::cli::plugin::html::{Html, el, encoded, span, void};

/// Rows of one page of a list.
pub const ROWS: usize = 100;

/// Which rows of a list are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The page, from 1 on.
    pub page: usize,
    /// How many rows there are.
    pub rows: usize,
}

impl Cut {
    /// The page that is asked for, or the nearest there is.
    pub fn of(asked: Option<&str>, rows: usize) -> Self {
        let last = rows.div_ceil(ROWS).max(1);
        Self { page: asked.and_then(|text| text.parse().ok()).unwrap_or(1).clamp(1, last), rows }
    }

    /// How many rows come before it.
    pub const fn before(self) -> usize {
        self.page.saturating_sub(1).saturating_mul(ROWS)
    }

    /// Links to the pages around it; `others` is the rest of the query.
    pub fn links(self, path: &str, others: &[(&'static str, &str)]) -> Html {
        let last = self.rows.div_ceil(ROWS).max(1);
        let first = self.before().saturating_add(1).min(self.rows);
        let to = self.before().saturating_add(ROWS).min(self.rows);
        let shown = span("count", format!("{} to {} of {}", thousands(first), thousands(to), thousands(self.rows)));
        if last == 1 {
            return el("p", &[("class", "pager")], shown);
        }
        let link = |page: usize, name: &'static str, rel: &'static str| {
            let there = page >= 1 && page <= last && page != self.page;
            let href = query(path, &[others, &[("page", &page.to_string())]].concat());
            if there { el("a", &[("href", &href), ("rel", rel)], name) } else { span("off", name) }
        };
        let links = vec![
            link(1, "First", ""),
            link(self.page.saturating_sub(1), "Previous", "prev"),
            shown,
            link(self.page.saturating_add(1), "Next", "next"),
            link(last, "Last", ""),
        ];
        el("nav", &[("class", "pager"), ("aria-label", "Parts of this list")], links)
    }
}

/// A path with a query; values that are empty are left out.
pub fn query(path: &str, pairs: &[(&'static str, &str)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// A field of a form with its label.
pub fn field(label: &str, id: &'static str, kind: &'static str, value: &str) -> Html {
    let input = [("id", id), ("name", id), ("type", kind), ("value", value), ("autocomplete", "off")];
    el("div", &[("class", "field")], vec![el("label", &[("for", id)], label), void("input", &input)])
}

/// A choice with its label; an empty value is any.
pub fn choice(label: &str, id: &'static str, all: &[&str], chosen: &str) -> Html {
    let option = |value: &str, name: &str| {
        let selected: &[(&'static str, &str)] = if value == chosen { &[("selected", "")] } else { &[] };
        el("option", &[&[("value", value)], selected].concat(), name)
    };
    let mut options = vec![option("", "any")];
    options.extend(all.iter().map(|value| option(value, value)));
    let select = el("select", &[("id", id), ("name", id)], options);
    el("div", &[("class", "field")], vec![el("label", &[("for", id)], label), select])
}

/// A form that asks for another part of the same page.
pub fn form(path: &str, label: &str, fields: Vec<Html>) -> Html {
    let mut inside = fields;
    inside.push(el("button", &[("type", "submit")], "Show"));
    el("form", &[("method", "get"), ("action", path), ("class", "filter"), ("aria-label", label)], inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_into_parts_and_never_beyond_its_ends() {
        for (asked, rows, page, before) in [
            (None, 10_000, 1, 0),
            (Some("100"), 10_000, 100, 9_900),
            (Some("101"), 10_000, 100, 9_900),
            (Some("0"), 10_000, 1, 0),
            (Some("-1"), 10_000, 1, 0),
            (Some("x"), 0, 1, 0),
        ] {
            let cut = Cut::of(asked, rows);
            assert_eq!((cut.page, cut.before()), (page, before), "{asked:?} of {rows}");
        }
        let links = Cut::of(Some("2"), 10_000).links("people", &[("q", "a&b"), ("state", "")]);
        let links = links.as_str();
        assert!(links.contains("101 to 200 of 10,000"), "{links}");
        assert!(links.contains("href=\"people?q=a%26b&amp;page=3\""), "{links}");
        assert!(!Cut::of(None, 0).links("people", &[]).as_str().contains("href"));
    }
}
