//! What goes wrong with a system that is played, and where.
//!
//! A fault is written as its name, with what it is about behind `=`, the part of the system it comes in behind `@`, and
//! the number of the request of that part, or of the page, behind `:`: `html`, `forbidden@details`, `throttled:3`,
//! `field-gone=email`, `lost-page:2`.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::{fmt, mem};

use serde_json::Value as Json;

use super::place::Way;
use super::serve::{Answer, Said, System};
use hris::definition::{Definition, List, Paging, Throttling, Value, Where};
use hris::path::{Path, plain};
use hris::row::Slot;

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// A token.
    Token,
    /// A list of people, by its number.
    People(usize),
    /// A list that is joined.
    Join(String),
    /// One person.
    Detail(String),
    /// Names for ids.
    Lookup(String),
    /// A list that is to be made.
    Export,
    /// Something else.
    Unknown,
}

impl Part {
    /// Its word.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::People(_) => "people",
            Self::Join(_) => "joins",
            Self::Detail(_) => "details",
            Self::Lookup(_) => "lookups",
            Self::Export => "exports",
            Self::Unknown => "unknown",
        }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Throttled,
    ThrottledInItsWay,
    ThrottledForEver,
    Expired,
    LostPage,
    RepeatedPage,
    Circle,
    Total,
    Empty,
    NoRecords,
    Forbidden,
    Gone(Slot),
    Html,
    Cut,
    Drip,
    Oversized,
    Redirect,
    OtherHost,
}

/// The faults there are, by name.
pub(crate) const KINDS: [(&str, Kind, &str); 18] = [
    ("throttled", Kind::Throttled, "asks to come back, one time"),
    ("throttled-in-its-way", Kind::ThrottledInItsWay, "the same, as this system says it"),
    ("throttled-for-ever", Kind::ThrottledForEver, "asks to come back, every time"),
    ("expired", Kind::Expired, "refuses the credential one time, and ends the token there is"),
    ("lost-page", Kind::LostPage, "leaves a page of people out; the second, unless it is named"),
    ("repeated-page", Kind::RepeatedPage, "gives a page of people twice; the first, unless it is named"),
    ("circle", Kind::Circle, "what leads to the next page leads back"),
    ("total-changes", Kind::Total, "counts one record more than on the page before"),
    ("empty", Kind::Empty, "answers with an empty object, and status 200"),
    ("no-records", Kind::NoRecords, "answers with a list that has no records"),
    ("forbidden", Kind::Forbidden, "answers 403"),
    ("field-gone", Kind::Gone(Slot::Email), "leaves out what a field is read from: field-gone=email"),
    ("html", Kind::Html, "answers with a web page, and status 200"),
    ("truncated", Kind::Cut, "ends the JSON in the middle"),
    ("drip", Kind::Drip, "sends one byte, and then nothing"),
    ("oversized", Kind::Oversized, "announces more than anybody should take"),
    ("redirect", Kind::Redirect, "leads to a sign-in on another host"),
    ("other-host", Kind::OtherHost, "the next link leads to another host"),
];

/// A fault, and where it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What goes wrong.
    pub(crate) kind: Kind,
    /// The part it comes in; any but the sign-in, where none is named.
    pub(crate) part: Option<String>,
    /// The number of the request or page, from 1.
    pub(crate) number: Option<usize>,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (text, number) = match text.split_once(':') {
            None => (text, None),
            Some((text, number)) => (text, Some(number.parse().map_err(|_| format!("{number:?} is no number"))?)),
        };
        let (text, part) = match text.split_once('@') {
            None => (text, None),
            Some((text, part)) => (text, Some(part.to_owned())),
        };
        let parts = ["token", "people", "joins", "details", "lookups", "exports"];
        if let Some(part) = part.as_deref().filter(|part| !parts.contains(part)) {
            return Err(format!("there is no part {part:?}; there are: {}", parts.join(", ")));
        }
        let (name, about) = text.split_once('=').map_or((text, None), |(name, about)| (name, Some(about)));
        let found = KINDS.iter().find(|(known, ..)| *known == name).map(|(_, kind, _)| *kind);
        let kind = match (found, about) {
            (Some(Kind::Gone(_)), Some(field)) => {
                let slot = Slot::ALL.iter().copied().find(|slot| slot.name() == field);
                Kind::Gone(slot.ok_or_else(|| format!("there is no field {field:?}"))?)
            }
            (Some(Kind::Gone(_)), None) => return Err(format!("{name} needs a field: {name}=email")),
            (Some(kind), None) => kind,
            (Some(_), Some(_)) => return Err(format!("{name} is about nothing")),
            (None, _) => {
                let names = KINDS.map(|(name, ..)| name);
                return Err(format!("there is no fault {name:?}; there are: {}", names.join(", ")));
            }
        };
        Ok(Self { kind, part, number })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let like = |other: &Kind| mem::discriminant(other) == mem::discriminant(&self.kind);
        let name = KINDS.iter().find(|(_, kind, _)| like(kind)).map_or("", |(name, ..)| name);
        f.write_str(name)?;
        if let Kind::Gone(slot) = self.kind {
            write!(f, "={}", slot.name())?;
        }
        self.part.iter().try_for_each(|part| write!(f, "@{part}"))?;
        self.number.iter().try_for_each(|number| write!(f, ":{number}"))
    }
}

impl Fault {
    /// Whether the request of its part that came as the `met`th is one it comes with.
    fn comes(&self, met: usize) -> bool {
        match (self.kind, self.number) {
            (Kind::Throttled | Kind::ThrottledInItsWay | Kind::Expired, number) => met == number.unwrap_or(1),
            (Kind::ThrottledForEver, Some(number)) => met >= number,
            (Kind::Circle | Kind::Total, number) => met >= number.unwrap_or(2),
            (_, Some(number)) => met == number,
            (_, None) => true,
        }
    }

    fn is_about(&self, part: &Part) -> bool {
        match &self.part {
            Some(word) => word == part.word(),
            None => !matches!(part, Part::Token | Part::Unknown),
        }
    }
}

/// The faults a system has.
pub(crate) struct Faults {
    lists: Vec<Marks>,
    records: Vec<Records>,
    /// How the system itself asks to come back.
    later: Answer,
    live: Vec<(Fault, usize)>,
    /// Those that come with the request that is being answered.
    now: Vec<Kind>,
    /// What led from the first page to the second.
    led: Option<Json>,
}

/// Where the records of a part stand, and what is read from each; the whole answer is one where no list is named.
struct Records {
    part: Part,
    list: Option<Way>,
    taken: Vec<(Slot, Way)>,
}

/// Where the pages of a list of people say something.
struct Marks {
    total: Option<Where>,
    next: Option<Where>,
}

impl Faults {
    /// # Errors
    /// The path of the definition that cannot be followed backwards.
    pub(crate) fn new(definition: &Definition) -> Result<Self, String> {
        let next = |paging: &Paging| match paging {
            Paging::Cursor { at, .. } | Paging::NextLink(at) | Paging::NextQuery(at) => Some(at.clone()),
            Paging::Page(_) | Paging::Offset(_) => None,
        };
        let marks = |list: &List| Marks { total: list.total.clone(), next: list.paging.as_ref().and_then(next) };
        let mut records = Vec::new();
        for (number, list) in definition.people.iter().enumerate() {
            let taken = ways(&definition.fields, &definition.inputs)?;
            records.push(Records { part: Part::People(number), list: Some(Way::parse(&list.records)?), taken });
        }
        for (name, join) in &definition.joins {
            let taken = ways(&join.fields, &join.inputs)?;
            records.push(Records {
                part: Part::Join(name.clone()),
                list: Some(Way::parse(&join.list.records)?),
                taken,
            });
        }
        for (name, detail) in &definition.details {
            let list = detail.records.as_deref().map(Way::parse).transpose()?;
            let taken = ways(&detail.fields, &detail.inputs)?;
            records.push(Records { part: Part::Detail(name.clone()), list, taken });
        }
        let lists = definition.people.iter().map(marks).collect();
        Ok(Self { lists, records, later: later(&definition.throttling)?, live: Vec::new(), now: Vec::new(), led: None })
    }

    /// Brings a fault.
    ///
    /// # Errors
    /// When there is none of that name.
    pub(crate) fn bring(&mut self, name: &str, system: &mut dyn System) -> Result<String, String> {
        let fault: Fault = name.parse()?;
        match fault.kind {
            Kind::LostPage => system.turn_pages(Some(fault.number.unwrap_or(2)), None),
            Kind::RepeatedPage => system.turn_pages(None, Some(fault.number.unwrap_or(1))),
            _ => {}
        }
        self.live.push((fault, 0));
        Ok(format!("fault {name}"))
    }

    /// Ends them all.
    pub(crate) fn end(&mut self) {
        self.live.clear();
        self.led = None;
    }

    /// What is answered instead of what is asked for.
    pub(crate) fn before(&mut self, part: &Part, system: &mut dyn System) -> Option<Answer> {
        self.now.clear();
        for (fault, met) in &mut self.live {
            if fault.is_about(part) {
                *met += 1;
                self.now.extend(fault.comes(*met).then_some(fault.kind));
            }
        }
        self.now.iter().find_map(|kind| match kind {
            Kind::ThrottledInItsWay => Some(self.later.clone()),
            kind => instead(*kind, system),
        })
    }

    /// What becomes of an answer.
    pub(crate) fn after(&mut self, part: &Part, mut answer: Answer) -> Answer {
        let next = match part {
            Part::People(list) => self.lists.get(*list).and_then(|marks| marks.next.clone()),
            _ => None,
        };
        if let Some(next) = next.as_ref().filter(|_| self.led.is_none()) {
            self.led = value_at(&answer, next);
        }
        for kind in self.now.clone() {
            answer = match (kind, &next) {
                (Kind::Cut, _) => cut(answer),
                (Kind::Circle, Some(next)) => match &self.led {
                    Some(led) => marked(answer, next, led),
                    None => answer,
                },
                (Kind::OtherHost, Some(next)) => elsewhere(answer, next),
                (Kind::Total, _) => self.miscounted(part, answer),
                (Kind::NoRecords, _) => self.cleared(part, answer),
                (Kind::Gone(slot), _) => self.without(part, answer, slot),
                _ => answer,
            };
        }
        answer
    }

    fn miscounted(&self, part: &Part, answer: Answer) -> Answer {
        let Part::People(list) = part else { return answer };
        let Some(total) = self.lists.get(*list).and_then(|marks| marks.total.as_ref()) else { return answer };
        let said = value_at(&answer, total).and_then(|value| plain(&value)?.parse::<u64>().ok());
        said.map_or(answer.clone(), |said| marked(answer, total, &(said + 1).into()))
    }

    fn cleared(&self, part: &Part, answer: Answer) -> Answer {
        let way = self.records.iter().find(|records| records.part == *part).and_then(|records| records.list.as_ref());
        changed(answer, |body| way.into_iter().for_each(|way| way.clear(body)))
    }

    fn without(&self, part: &Part, answer: Answer, slot: Slot) -> Answer {
        let Some(Records { list, taken, .. }) = self.records.iter().find(|records| records.part == *part) else {
            return answer;
        };
        let mut remove = |record: &mut Json| {
            taken.iter().filter(|(taken, _)| *taken == slot).for_each(|(_, way)| way.remove(record));
        };
        changed(answer, |body| match list {
            Some(list) => list.records(body, &mut remove),
            None => remove(body),
        })
    }
}

/// Where a slot is read from; a status that rules tell, from everything they look at.
fn ways(fields: &BTreeMap<Slot, Value>, inputs: &BTreeMap<String, Value>) -> Result<Vec<(Slot, Way)>, String> {
    let fields = fields.iter().flat_map(|(slot, value)| value.paths.iter().map(|path| (*slot, path)));
    let inputs = inputs.values().flat_map(|value| value.paths.iter().map(|path| (Slot::Status, path)));
    fields.chain(inputs).map(|(slot, path)| Ok((slot, Way::parse(path)?))).collect()
}

/// How a system asks to come back at once.
fn later(words: &Throttling) -> Result<Answer, String> {
    let mut body = Json::Null;
    if let Some(code) = &words.code {
        let word = code.is.first().map(String::as_str).unwrap_or_default();
        let put = Way::parse(&code.path)?.put(&mut body, &word.into(), 0);
        put.map_err(|_| "throttling.code.path: cannot be followed backwards".to_owned())?;
    }
    // A code says it behind any error.
    let status = words.statuses.first().copied().unwrap_or(if words.code.is_some() { 403 } else { 429 });
    let mut answer = Answer { status, ..Answer::json(body.to_string()) };
    let name = words.reset.as_ref().map_or("retry-after", |reset| &reset.header);
    answer.headers.push((name.to_ascii_lowercase(), "0".to_owned()));
    Ok(answer)
}

fn instead(kind: Kind, system: &mut dyn System) -> Option<Answer> {
    let head = |status: u16, name: &str, value: &str, body: &'static str| Answer {
        status,
        headers: vec![(name.to_owned(), value.to_owned())],
        body: Said::Whole(body.into()),
    };
    Some(match kind {
        Kind::Throttled | Kind::ThrottledForEver => head(429, "retry-after", "0", ""),
        Kind::Expired => {
            system.expire();
            Answer::refused(401, "expired")
        }
        Kind::Empty => Answer::json("{}"),
        Kind::Forbidden => Answer::refused(403, "forbidden"),
        Kind::Html => head(200, "content-type", "text/html", "<html><title>Sign in</title></html>"),
        Kind::Drip => Answer { body: Said::Stalled("{".into()), ..Answer::json("") },
        Kind::Oversized => Answer { body: Said::Announced(1 << 40), ..Answer::json("") },
        Kind::Redirect => head(302, "location", "https://login.example.com/", ""),
        _ => return None,
    })
}

fn cut(answer: Answer) -> Answer {
    let Some(text) = answer.text() else { return answer };
    let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    let half = text.get(..middle).unwrap_or_default().to_owned();
    Answer { body: Said::Whole(half.into()), ..answer }
}

fn changed(answer: Answer, change: impl FnOnce(&mut Json)) -> Answer {
    let Some(mut body) = answer.text().and_then(|text| serde_json::from_str::<Json>(text).ok()) else { return answer };
    change(&mut body);
    Answer { body: Said::Whole(body.to_string().into()), ..answer }
}

/// What stands at a place of an answer.
fn value_at(answer: &Answer, at: &Where) -> Option<Json> {
    match at {
        Where::Header(name) => {
            let header = answer.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            header.map(|(_, value)| value.as_str().into())
        }
        Where::Path(path) => {
            let body: Json = serde_json::from_str(answer.text()?).ok()?;
            Path::parse(path).ok()?.first(&body).cloned()
        }
    }
}

fn marked(mut answer: Answer, at: &Where, value: &Json) -> Answer {
    match at {
        Where::Header(name) => {
            answer.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            answer.headers.extend(plain(value).map(|text| (name.to_ascii_lowercase(), text)));
            answer
        }
        Where::Path(path) => {
            let way = Way::parse(path).ok();
            changed(answer, |body| {
                let _ = way.map(|way| way.set(body, value)); // a page that cannot say it is left as it is
            })
        }
    }
}

/// The same next link, on another host.
fn elsewhere(answer: Answer, at: &Where) -> Answer {
    match value_at(&answer, at).and_then(|link| plain(&link)) {
        Some(link) if link.starts_with('<') => {
            marked(answer, at, &r#"<https://other.example.com/>; rel="next""#.into())
        }
        Some(_) => marked(answer, at, &"https://other.example.com/".into()),
        None => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_named_as_it_is_written() {
        for text in ["html", "throttled:3", "forbidden@details", "html@people:2", "field-gone=email", "lost-page:2"] {
            assert_eq!(text.parse::<Fault>().map(|fault| fault.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "htm", "html@nowhere", "html:x", "field-gone", "field-gone=shoeSize", "html=email"] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }
}
