//! What all pages look like: the frame with its landmarks, tables, states in words, times, and commands to copy.

use jiff::Timestamp;

use crate::cli::plugin::html::{Html, data, document, el, encoded, span, void};
use crate::cli::plugin::people::words::Advice;

/// The pages that the navigation has: where each is, and what it is called.
pub const PAGES: [(&str, &str); 9] = [
    ("", "Now"),
    ("leavers", "Leavers"),
    ("next", "Next"),
    ("held", "Held"),
    ("people", "People"),
    ("connections", "Connections"),
    ("coverage", "Coverage"),
    ("review", "Access review"),
    ("evidence", "Evidence"),
];

/// A page before it is framed.
#[derive(Debug, Default)]
pub struct Page {
    /// Which of the navigation it belongs to.
    pub of: &'static str,
    /// Its heading.
    pub title: String,
    /// Whether it shows what is watched, and moves by itself.
    pub live: bool,
    /// What is on it.
    pub body: Html,
}

/// What is the same on all pages.
#[derive(Debug)]
pub struct Frame<'a> {
    /// The path and query of the page itself.
    pub here: &'a str,
    /// The people namespace.
    pub namespace: &'a str,
    /// Whether names are shown.
    pub unmask: bool,
    /// How many changes were seen before it was made.
    pub changes: u64,
    /// Why what is shown may be old.
    pub trouble: &'a [String],
    /// Now.
    pub now: Timestamp,
}

/// The whole page.
pub fn framed(page: Page, frame: &Frame<'_>) -> String {
    let title = format!("{} · Rollcall", page.title);
    let head = Html::from([
        void("meta", &[("charset", "utf-8")]),
        void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]),
        void("meta", &[("name", "color-scheme"), ("content", "light dark")]),
        el("title", &[], title),
        void("link", &[("rel", "icon"), ("href", "icon.svg"), ("type", "image/svg+xml")]),
        void("link", &[("rel", "stylesheet"), ("href", "page.css")]),
        el("script", &[("src", "live.js"), ("defer", "")], ""),
    ]);
    let skip = format!("{}#main", frame.here);
    let trouble = frame.trouble.iter().map(|why| el("p", &[], format!("What is shown may be old: {why}")));
    let trouble: Vec<Html> = trouble.collect();
    let trouble_class = if trouble.is_empty() { "" } else { "notice bad" };
    let names = if frame.unmask { "Names are shown." } else { "No names are shown; --unmask shows them." };
    let changes = frame.changes.to_string();
    let live: &[(&'static str, &str)] = if page.live { &[("data-live", &changes)] } else { &[] };
    let moves = if page.live { "as it changes" } else { "as of when it was read; reload it to read again" };
    let foot = Html::from([
        el(
            "p",
            &[],
            vec![
                Html::from("Namespace "),
                data(frame.namespace),
                Html::from(", read-only, with your own rights"),
                Html::from(format!(". Times are in UTC. {names}")),
            ],
        ),
        el("p", &[], vec![Html::from(format!("This page: {moves}. Made ")), time(frame.now), Html::from(".")]),
    ]);
    let body = el(
        "div",
        &[("class", "page")],
        vec![
            el("a", &[("class", "skip"), ("href", &skip)], "Skip to the content"),
            el("header", &[], vec![el("a", &[("class", "brand"), ("href", ".")], "Rollcall"), navigation(page.of)]),
            el("p", &[("id", "says"), ("role", "status")], ""),
            part("trouble", trouble_class, trouble),
            el("main", &[("id", "main"), ("tabindex", "-1")], vec![el("h1", &[], page.title), page.body]),
            el("footer", &[("id", "foot"), ("data-part", "")], foot),
        ],
    );
    document(&head, &el("div", live, body))
}

fn navigation(of: &str) -> Html {
    let link = |(path, name): &(&'static str, &'static str)| {
        let href = if path.is_empty() { "." } else { path };
        let here: &[(&'static str, &str)] =
            if *path == of { &[("href", href), ("aria-current", "page")] } else { &[("href", href)] };
        el("li", &[], el("a", here, *name))
    };
    let links: Vec<Html> = PAGES.iter().map(link).collect();
    el("nav", &[("aria-label", "Pages")], el("ul", &[], links))
}

/// What is shown to who brought the token: it leads on to the pages, by the browser itself, so that the cookie goes along.
pub fn entrance(place: &str) -> String {
    let to = format!("/{place}/");
    let refresh = format!("0; url={to}");
    let head = Html::from([
        void("meta", &[("charset", "utf-8")]),
        el("title", &[], "Rollcall"),
        void("meta", &[("http-equiv", "refresh"), ("content", &refresh)]),
    ]);
    document(&head, &el("main", &[], vec![el("h1", &[], "Rollcall"), el("a", &[("href", &to)], "Go on")]))
}

/// A part of a page that is replaced when it changes.
pub fn part(id: &'static str, class: &'static str, inside: impl Into<Html>) -> Html {
    el("div", &[("id", id), ("class", class), ("data-part", "")], inside)
}

/// A part with a heading, which is a landmark of its own.
pub fn section(id: &'static str, title: &str, inside: impl Into<Html>) -> Html {
    let heading = format!("{id}-title");
    let inside = vec![el("h2", &[("id", &heading)], title), inside.into()];
    el("section", &[("id", id), ("aria-labelledby", &heading), ("data-part", "")], inside)
}

/// How good a state is. The words say it; the colour only repeats it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Neither.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Something waits, or is under way.
    Waits,
    /// Something is wrong.
    Bad,
}

impl Tone {
    /// Its class in the style sheet.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Plain => "chip plain",
            Self::Good => "chip good",
            Self::Waits => "chip waits",
            Self::Bad => "chip bad",
        }
    }
}

/// A state in words.
pub fn chip(tone: Tone, words: impl Into<Html>) -> Html {
    span(tone.class(), words)
}

/// An instant, to the second.
pub fn time(at: Timestamp) -> Html {
    let exact = format!("{at:.0}");
    el("time", &[("datetime", &exact)], at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// An instant where there is one.
pub fn maybe_time(at: Option<Timestamp>) -> Html {
    at.map_or_else(nothing, time)
}

/// A day.
pub fn day(day: jiff::civil::Date) -> Html {
    let text = day.to_string();
    el("time", &[("datetime", &text), ("class", "day")], text.as_str())
}

/// A day where there is one.
pub fn maybe_day(at: Option<jiff::civil::Date>) -> Html {
    at.map_or_else(nothing, day)
}

/// So many of something.
pub fn many(number: usize, one: &str, more: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { more })
}

/// What stands where there is nothing to say.
pub fn nothing() -> Html {
    span("none", "–")
}

/// A text, or that there is none.
pub fn or_nothing(text: &str) -> Html {
    if text.is_empty() { nothing() } else { data(text) }
}

/// How long, in the unit in which it is a small number.
pub fn lasts(seconds: i64) -> String {
    match seconds {
        i64::MIN..=119 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `3 h ago`, or `in 2 d`.
pub fn from_now(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs();
    if seconds >= 0 { format!("{} ago", lasts(seconds)) } else { format!("in {}", lasts(seconds.saturating_neg())) }
}

/// Where a person's own page is.
pub fn of_person(name: &str) -> String {
    format!("person?name={}", encoded(name))
}

/// A link to a person, called by their HR records; by their name too, where that is shown.
pub fn person(name: &str, records: &[String], display_name: Option<&str>) -> Html {
    let called = if records.is_empty() { name.to_owned() } else { records.join(", ") };
    let link = el("a", &[("href", &of_person(name))], data(&called));
    let named = display_name.map(|name| el("span", &[("class", "name")], data(name)));
    Html::from([link, named.into()])
}

/// A command with the button that copies it.
pub fn command(line: &str) -> Html {
    let label = format!("Copy: {line}");
    let button = [("type", "button"), ("class", "copy"), ("data-copy", line), ("aria-label", label.as_str())];
    el("span", &[("class", "command")], vec![el("code", &[], data(line)), el("button", &button, "Copy")])
}

/// What the reader can do, each with its command to copy.
pub fn to_do(all: &[Advice]) -> Html {
    let line = |one: &Advice| {
        let Some(line) = &one.command else { return el("li", &[], data(&one.text)) };
        let (before, after) = one.text.split_once(line.as_str()).unwrap_or_default();
        el("li", &[], vec![Html::from(before), command(line), Html::from(after)])
    };
    el("ul", &[("class", "todo")], all.iter().map(line).collect::<Vec<_>>())
}

/// A table in a frame of its own, which is moved sideways where it is too wide, and not the page.
pub fn table(caption: &str, head: &[&str], rows: Vec<Vec<Html>>) -> Html {
    if rows.is_empty() {
        return el("p", &[("class", "empty")], format!("{caption}: none."));
    }
    let head: Vec<Html> = head.iter().map(|name| el("th", &[("scope", "col")], *name)).collect();
    let row = |cells: Vec<Html>| el("tr", &[], cells.into_iter().map(|cell| el("td", &[], cell)).collect::<Vec<_>>());
    let rows: Vec<Html> = rows.into_iter().map(row).collect();
    let table = el(
        "table",
        &[],
        vec![el("caption", &[], caption), el("thead", &[], el("tr", &[], head)), el("tbody", &[], rows)],
    );
    el("div", &[("class", "wide"), ("role", "region"), ("aria-label", caption), ("tabindex", "0")], table)
}

/// `10,000`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: &str = include_str!("page.css");

    /// The colours of the first block of the style sheet that begins like this.
    fn colours(begins: &str) -> Vec<(String, [f64; 3])> {
        let block = STYLE.split_once(begins).expect("a block of colours").1.split_once('}').unwrap().0;
        let colour = |line: &str| {
            let (name, value) = line.trim().strip_prefix("--")?.split_once(':')?;
            let hex = value.trim().strip_prefix('#')?.trim_end_matches(';');
            let part = |at: usize| Some(f64::from(u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?) / 255.0);
            Some((name.to_owned(), [part(0)?, part(2)?, part(4)?]))
        };
        block.lines().filter_map(colour).collect()
    }

    /// Contrast as WCAG 2.2 computes it.
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let linear = |part: f64| if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) };
        let light = |[r, g, b]: [f64; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        let (one, other) = (light(one) + 0.05, light(other) + 0.05);
        if one > other { one / other } else { other / one }
    }

    #[test]
    fn every_text_can_be_read_on_what_is_behind_it_in_the_light_and_in_the_dark() {
        let pairs = [
            ("text", "ground"),
            ("text", "raised"),
            ("quiet", "ground"),
            ("quiet", "raised"),
            ("accent", "ground"),
            ("accent", "raised"),
            ("on-accent", "accent"),
            ("good", "good-ground"),
            ("waits", "waits-ground"),
            ("bad", "bad-ground"),
            ("plain", "plain-ground"),
            ("bad", "ground"),
            ("text", "marked"),
        ];
        let graphics = [("good-bar", "ground"), ("bad-bar", "ground"), ("waits-bar", "ground"), ("edge", "ground")];
        for theme in [":root {", "prefers-color-scheme: dark) {\n  :root {"] {
            let colours = colours(theme);
            let of = |name: &str| colours.iter().find(|(other, _)| other == name).unwrap_or_else(|| panic!("{name}")).1;
            for (text, ground) in pairs {
                let found = contrast(of(text), of(ground));
                assert!(found >= 4.5, "{theme}: {text} on {ground}: {found:.2}");
            }
            for (line, ground) in graphics {
                let found = contrast(of(line), of(ground));
                assert!(found >= 3.0, "{theme}: {line} on {ground}: {found:.2}");
            }
        }
        assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 0.01);
    }

    const fn frame<'a>() -> Frame<'a> {
        let (namespace, now) = ("rollcall", Timestamp::UNIX_EPOCH);
        Frame { here: "people?page=2", namespace, unmask: false, changes: 0, trouble: &[], now }
    }

    #[test]
    fn a_page_has_its_landmarks_one_heading_and_nothing_inline() {
        let page = Page { of: "people", title: "<People>".into(), live: true, body: Html::default() };
        let html = framed(page, &frame());
        for landmark in ["<header>", "<nav aria-label=\"Pages\">", "<main id=\"main\"", "<footer", "<html lang=\"en\">"]
        {
            assert!(html.contains(landmark), "{landmark}");
        }
        assert_eq!((html.matches("<h1>").count(), html.matches("aria-current=\"page\"").count()), (1, 1));
        assert!(html.contains("href=\"people?page=2#main\""), "the link that skips stays on the page");
        assert!(html.contains("&lt;People&gt;") && !html.contains("<People>"));
        for inline in ["style=", "<style", "onclick", "javascript:"] {
            assert!(!html.contains(inline), "{inline}");
        }
        assert_eq!(html.matches("<script").count(), 1, "one script, of a file");
        for script in ["eval(", "innerHTML = ", "document.write", "insertAdjacentHTML"] {
            assert!(!include_str!("live.js").contains(script), "{script}");
        }
    }

    #[test]
    fn a_command_is_copied_as_it_is_shown() {
        let advice = Advice {
            command: Some("kubectl rollcall split 'a\"b'".into()),
            text: "or kubectl rollcall split 'a\"b', later".into(),
        };
        let html = to_do(&[advice]);
        let html = html.as_str();
        assert!(html.contains("data-copy=\"kubectl rollcall split &#39;a&quot;b&#39;\""), "{html}");
        assert!(html.contains("<li>or <span") && html.contains(", later</li>"), "{html}");
    }

    #[test]
    fn how_long_it_is_until_then_or_since_then() {
        let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
        for (then, now, expected) in
            [(0, 5, "5 s ago"), (0, 600, "10 min ago"), (86_400 * 9, 0, "in 9 d"), (0, 10_800, "3 h ago")]
        {
            assert_eq!(from_now(at(then), at(now)), expected);
        }
        assert_eq!(
            [thousands(0), thousands(999), thousands(1_000), thousands(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
