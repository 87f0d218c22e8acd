//! Makes responses of the simulated system go wrong.

mod named;

use std::collections::BTreeMap;

use serde_json::Value as Json;

pub(crate) use self::named::{Fault, KINDS, Kind, RequestKind};
use super::json_writer::Path;
use super::serve::{FakeResponse, ResponseBody, System};
use hris::definition::{Definition, List, Paging, Throttling, Value, Where};
use hris::path::{self, plain};
use hris::row::Slot;

/// The faults a system has.
pub(crate) struct Faults {
    lists: Vec<Marks>,
    records: Vec<Records>,
    /// How the system itself asks to come back.
    later: FakeResponse,
    live: Vec<(Fault, usize)>,
    /// Those that come with the request that is being answered.
    now: Vec<Kind>,
    /// What led from the first page to the second.
    led: Option<Json>,
}

/// Where the records of a part stand, and what is read from each; the whole answer is one where no list is named.
struct Records {
    part: RequestKind,
    list: Option<Path>,
    taken: Vec<(Slot, Path)>,
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
            records.push(Records { part: RequestKind::People(number), list: Some(Path::parse(&list.records)?), taken });
        }
        for (name, join) in &definition.joins {
            let taken = ways(&join.fields, &join.inputs)?;
            records.push(Records {
                part: RequestKind::Join(name.clone()),
                list: Some(Path::parse(&join.list.records)?),
                taken,
            });
        }
        for (name, detail) in &definition.details {
            let list = detail.records.as_deref().map(Path::parse).transpose()?;
            let taken = ways(&detail.fields, &detail.inputs)?;
            records.push(Records { part: RequestKind::Detail(name.clone()), list, taken });
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
    pub(crate) fn before(&mut self, part: &RequestKind, system: &mut dyn System) -> Option<FakeResponse> {
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
    pub(crate) fn after(&mut self, part: &RequestKind, mut answer: FakeResponse) -> FakeResponse {
        let next = match part {
            RequestKind::People(list) => self.lists.get(*list).and_then(|marks| marks.next.clone()),
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

    fn miscounted(&self, part: &RequestKind, answer: FakeResponse) -> FakeResponse {
        let RequestKind::People(list) = part else { return answer };
        let Some(total) = self.lists.get(*list).and_then(|marks| marks.total.as_ref()) else { return answer };
        let said = value_at(&answer, total).and_then(|value| plain(&value)?.parse::<u64>().ok());
        said.map_or(answer.clone(), |said| marked(answer, total, &(said + 1).into()))
    }

    fn cleared(&self, part: &RequestKind, answer: FakeResponse) -> FakeResponse {
        let way = self.records.iter().find(|records| records.part == *part).and_then(|records| records.list.as_ref());
        changed(answer, |body| way.into_iter().for_each(|way| way.clear(body)))
    }

    fn without(&self, part: &RequestKind, answer: FakeResponse, slot: Slot) -> FakeResponse {
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
fn ways(fields: &BTreeMap<Slot, Value>, inputs: &BTreeMap<String, Value>) -> Result<Vec<(Slot, Path)>, String> {
    let fields = fields.iter().flat_map(|(slot, value)| value.paths.iter().map(|path| (*slot, path)));
    let inputs = inputs.values().flat_map(|value| value.paths.iter().map(|path| (Slot::Status, path)));
    fields.chain(inputs).map(|(slot, path)| Ok((slot, Path::parse(path)?))).collect()
}

/// How a system asks to come back at once.
fn later(words: &Throttling) -> Result<FakeResponse, String> {
    let mut body = Json::Null;
    if let Some(code) = &words.code {
        let word = code.is.first().map(String::as_str).unwrap_or_default();
        let put = Path::parse(&code.path)?.put(&mut body, &word.into(), 0);
        put.map_err(|_| "throttling.code.path: cannot be followed backwards".to_owned())?;
    }
    // A code says it behind any error.
    let status = words.statuses.first().copied().unwrap_or(if words.code.is_some() { 403 } else { 429 });
    let mut answer = FakeResponse { status, ..FakeResponse::json(body.to_string()) };
    let name = words.reset.as_ref().map_or("retry-after", |reset| &reset.header);
    answer.headers.push((name.to_ascii_lowercase(), "0".to_owned()));
    Ok(answer)
}

fn instead(kind: Kind, system: &mut dyn System) -> Option<FakeResponse> {
    let head = |status: u16, name: &str, value: &str, body: &'static str| FakeResponse {
        status,
        headers: vec![(name.to_owned(), value.to_owned())],
        body: ResponseBody::Whole(body.into()),
    };
    Some(match kind {
        Kind::Throttled | Kind::ThrottledForEver => head(429, "retry-after", "0", ""),
        Kind::Expired => {
            system.expire();
            FakeResponse::refused(401, "expired")
        }
        Kind::Empty => FakeResponse::json("{}"),
        Kind::Forbidden => FakeResponse::refused(403, "forbidden"),
        Kind::Html => head(200, "content-type", "text/html", "<html><title>Sign in</title></html>"),
        Kind::Drip => FakeResponse { body: ResponseBody::Stalled("{".into()), ..FakeResponse::json("") },
        Kind::Oversized => FakeResponse { body: ResponseBody::Announced(1 << 40), ..FakeResponse::json("") },
        Kind::Redirect => head(302, "location", "https://login.example.com/", ""),
        _ => return None,
    })
}

fn cut(answer: FakeResponse) -> FakeResponse {
    let Some(text) = answer.text() else { return answer };
    let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    let half = text.get(..middle).unwrap_or_default().to_owned();
    FakeResponse { body: ResponseBody::Whole(half.into()), ..answer }
}

fn changed(answer: FakeResponse, change: impl FnOnce(&mut Json)) -> FakeResponse {
    let Some(mut body) = answer.text().and_then(|text| serde_json::from_str::<Json>(text).ok()) else { return answer };
    change(&mut body);
    FakeResponse { body: ResponseBody::Whole(body.to_string().into()), ..answer }
}

/// What stands at a place of an answer.
fn value_at(answer: &FakeResponse, at: &Where) -> Option<Json> {
    match at {
        Where::Header(name) => {
            let header = answer.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            header.map(|(_, value)| value.as_str().into())
        }
        Where::Path(path) => {
            let body: Json = serde_json::from_str(answer.text()?).ok()?;
            path::Path::parse(path).ok()?.first(&body).cloned()
        }
    }
}

fn marked(mut answer: FakeResponse, at: &Where, value: &Json) -> FakeResponse {
    match at {
        Where::Header(name) => {
            answer.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            answer.headers.extend(plain(value).map(|text| (name.to_ascii_lowercase(), text)));
            answer
        }
        Where::Path(path) => {
            let way = Path::parse(path).ok();
            changed(answer, |body| {
                let _ = way.map(|way| way.set(body, value)); // a page that cannot say it is left as it is
            })
        }
    }
}

/// The same next link, on another host.
fn elsewhere(answer: FakeResponse, at: &Where) -> FakeResponse {
    match value_at(&answer, at).and_then(|link| plain(&link)) {
        Some(link) if link.starts_with('<') => {
            marked(answer, at, &r#"<https://other.example.com/>; rel="next""#.into())
        }
        Some(_) => marked(answer, at, &"https://other.example.com/".into()),
        None => answer,
    }
}
