//! HTML by functions: whatever comes from elsewhere is text, and the one place that makes markup of text is here.

use super::terminal::plain;

/// A text as it stands in a page, or between the quotes of an attribute: nothing in it is markup. What is not seen, or changes the
/// direction of writing, is spelled out.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for sign in plain(text).chars() {
        match sign {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A value in the query of an address (RFC 3986, section 2.3).
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => safe.push(char::from(byte)),
            other => safe.push_str(&format!("%{other:02X}")),
        }
    }
    safe
}

/// Markup. A text becomes markup by being escaped, so that no page can forget it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// The whole of it.
    #[cfg(test)]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Html {
    fn from(text: &str) -> Self {
        Self(escaped(text))
    }
}

impl From<String> for Html {
    fn from(text: String) -> Self {
        Self(escaped(&text))
    }
}

impl From<&String> for Html {
    fn from(text: &String) -> Self {
        Self(escaped(text))
    }
}

impl From<Option<Self>> for Html {
    fn from(one: Option<Self>) -> Self {
        one.unwrap_or_default()
    }
}

impl From<Vec<Self>> for Html {
    fn from(all: Vec<Self>) -> Self {
        all.into_iter().collect()
    }
}

impl<const N: usize> From<[Self; N]> for Html {
    fn from(all: [Self; N]) -> Self {
        all.into_iter().collect()
    }
}

impl FromIterator<Self> for Html {
    fn from_iter<T: IntoIterator<Item = Self>>(all: T) -> Self {
        let mut whole = String::new();
        for one in all {
            whole.push_str(&one.0);
        }
        Self(whole)
    }
}

/// Attributes: names of ours, and values from wherever.
pub type Attributes<'a> = &'a [(&'static str, &'a str)];

fn open(tag: &'static str, attributes: Attributes<'_>) -> String {
    let mut markup = format!("<{tag}");
    for (name, value) in attributes {
        markup.push_str(&format!(" {name}=\"{}\"", escaped(value)));
    }
    markup.push('>');
    markup
}

/// An element with what is in it.
pub fn el(tag: &'static str, attributes: Attributes<'_>, inside: impl Into<Html>) -> Html {
    Html(format!("{}{}</{tag}>", open(tag, attributes), inside.into().0))
}

/// An element that nothing can be in: `input`, `link`, `meta`. The shapes of a picture are none: they have to be closed.
#[must_use]
pub fn void(tag: &'static str, attributes: Attributes<'_>) -> Html {
    Html(open(tag, attributes))
}

/// Something of a class.
pub fn span(class: &'static str, inside: impl Into<Html>) -> Html {
    el("span", &[("class", class)], inside)
}

/// A text from elsewhere, such as a name, which keeps its direction of writing to itself.
pub fn data(text: &str) -> Html {
    el("bdi", &[], text)
}

/// A document.
#[must_use]
pub fn document(head: &Html, body: &Html) -> String {
    format!("<!doctype html>\n<html lang=\"en\">\n<head>{}</head>\n<body>{}</body>\n</html>\n", head.0, body.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup_wherever_it_stands() {
        let long = "x".repeat(300);
        for hostile in [
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "' onmouseover='alert(1)",
            "</bdi></td><script>",
            "&lt;script&gt;",
            "\u{202e}gpj.exe\u{0}\r\n",
            "<!-- -->",
            &long,
        ] {
            let page = el("p", &[("title", hostile)], data(hostile));
            let text = page.as_str();
            let inside = text.strip_prefix("<p title=\"").unwrap().strip_suffix("</bdi></p>").unwrap();
            let (value, shown) = inside.split_once("\"><bdi>").unwrap();
            for part in [value, shown] {
                assert!(!part.contains(['<', '>', '"', '\'', '\u{202e}', '\n', '\0']), "{part}");
                let back = part.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
                assert_eq!(back.replace("&amp;", "&"), plain(hostile));
            }
        }
    }

    #[test]
    fn a_value_of_a_query_is_one_value() {
        assert_eq!(encoded("hq/7&x=1#é"), "hq%2F7%26x%3D1%23%C3%A9");
        assert_eq!(encoded("p-3oqh_~."), "p-3oqh_~.");
    }
}
