//! Simulates a generated company: its people, in the words and pages of a definition.

mod answers;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::Value as Json;

use super::company::{Company, Moment, Person};
use super::faults::RequestKind;
use super::json_writer::Path;
use super::pagination::{Leaf, Pagination, page};
use super::render::{Renderer, Template};
use super::routes::{ONE, Routes, parts};
use super::serve::{FakeRequest, FakeResponse, System};
use super::signin::SignIn;
use super::solver::key;
use domain::quote::quoted;
use hris::definition::{Choose, Definition, List, Where};

/// One record of a list.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ListRecord {
    /// Whose it is.
    number: usize,
    /// It is of an employment they had before.
    past: bool,
}

/// A company, being played.
pub(crate) struct Generated {
    definition: Definition,
    company: Company,
    renderer: Renderer,
    routes: Routes,
    sign_in: SignIn,
    /// How each list is given, in the order of the routes; then each detail.
    paginations: Vec<Pagination>,
    details: Vec<Option<Pagination>>,
    /// Where it is played.
    here: String,
    today: Box<dyn Fn() -> Date + Send>,
    moment: Moment,
    /// Which lists of people were read to their end.
    ended: BTreeSet<usize>,
    lost: Option<usize>,
    twice: Option<usize>,
    /// Who is on which list, how many each list of people says there are, and the pages that were written, until
    /// something changes.
    listed: Option<Vec<Vec<ListRecord>>>,
    counted: Vec<usize>,
    written: HashMap<(usize, usize), FakeResponse>,
    looked_up: HashMap<String, Vec<String>>,
}

impl Generated {
    /// `size` is how many records a page shall have, where the definition does not say.
    ///
    /// # Errors
    /// The place of the definition that cannot be followed backwards.
    pub(crate) fn new(
        definition: &Definition,
        parameters: &BTreeMap<String, String>,
        company: Company,
        size: Option<usize>,
        here: &str,
        today: Box<dyn Fn() -> Date + Send>,
    ) -> Result<Self, String> {
        let paginations =
            parts(definition).into_iter().map(|(_, list)| Pagination::new(list, size)).collect::<Result<_, _>>()?;
        let details = definition.details.values().map(|detail| {
            let records = detail.records.clone()?;
            let (request, paging) = (detail.request.clone(), detail.paging.clone());
            let (skip, choose, empty, null_is_empty, sets) = (None, None, None, false, BTreeMap::new());
            let list =
                List { request, records, total: None, paging, sets, skip, choose, null_is_empty, empty, export: None };
            Some(Pagination::new(&list, size))
        });
        let details = details.map(Option::transpose).collect::<Result<_, _>>()?;
        let moment = Moment { today: today(), day: 0, answers: 0, made_to_leave: BTreeSet::new() };
        let mut played = Self {
            definition: definition.clone(),
            company,
            renderer: Renderer::new(definition.clone(), company)?,
            routes: Routes::new(definition, parameters)?,
            sign_in: SignIn::new(definition, parameters)?,
            paginations,
            details,
            here: here.to_owned(),
            today,
            moment,
            ended: BTreeSet::new(),
            lost: None,
            twice: None,
            listed: None,
            counted: Vec::new(),
            written: HashMap::new(),
            looked_up: HashMap::new(),
        };
        played.list()?;
        for at in 0..played.paginations.len() {
            played.page(at, 0)?;
        }
        Ok(played)
    }

    /// What the definition cannot say of the people there are.
    pub(crate) fn unsaid(&self) -> Vec<String> {
        self.renderer.unsaid().map(str::to_owned).collect()
    }

    /// Forgets everything that was computed.
    fn forget(&mut self) {
        self.listed = None;
        self.written.clear();
    }

    /// Who is on which list: those of people, then those of joins.
    fn list(&mut self) -> Result<(), String> {
        let today = (self.today)();
        if self.moment.today != today {
            self.moment.today = today;
            self.forget();
        }
        if self.listed.is_some() {
            return Ok(());
        }
        let mut listed = vec![Vec::new(); self.definition.people.len()];
        let mut all = Vec::new();
        for number in 0..self.company.numbers(&self.moment) {
            let Some(person) = self.company.person(number, &self.moment) else { continue };
            if let Some(template) = self.renderer.template(&person, &self.moment)? {
                let entry = ListRecord { number, past: false };
                listed.get_mut(template.list).into_iter().for_each(|list: &mut Vec<ListRecord>| list.push(entry));
                all.push(number);
            }
        }
        self.counted = listed.iter().map(Vec::len).collect();
        for (list, pagination) in listed.iter_mut().zip(&self.paginations) {
            turned(list, pagination.size(), self.lost, self.twice);
        }
        let chosen: Vec<_> = self.definition.joins.values().map(|join| join.choose.clone()).collect();
        for choose in chosen {
            listed.push(all.iter().flat_map(|number| self.entries(*number, choose.as_ref())).collect());
        }
        self.listed = Some(listed);
        Ok(())
    }

    /// The records that somebody has in a list of employments: an earlier one too, where a choice is made by the days.
    fn entries(&mut self, number: usize, choose: Option<&Choose>) -> Vec<ListRecord> {
        let before = choose.is_some_and(|choose| choose.to.is_some()) && number % 4 == 2 && self.past(number).is_some();
        let now = ListRecord { number, past: false };
        if before { vec![ListRecord { number, past: true }, now] } else { vec![now] }
    }

    /// Somebody as they were in an employment before the one they have; nobody, where the source could not say so.
    fn past(&mut self, number: usize) -> Option<(Person, Arc<Template>)> {
        let person = self.company.person(number, &self.moment)?.before();
        let template = self.renderer.template(&person, &self.moment).ok()??;
        Some((person, template))
    }

    /// A page of a list, and of those that lie in the same answer.
    fn page(&mut self, at: usize, from: usize) -> Result<FakeResponse, String> {
        if let Some(answer) = self.written.get(&(at, from)) {
            return Ok(answer.clone());
        }
        let mut leaves = Vec::new();
        let alike = self.routes.alike(at);
        for list in alike {
            let Some(all) = self.length(list) else { continue };
            let Some(size) = self.paginations.get(list).map(Pagination::size) else { continue };
            let records = self.records(list, from, from.saturating_add(size).min(all))?;
            let said = self.counted.get(list).copied().unwrap_or(all); // a page that is lost was counted
            leaves.push((list, records, all, said));
        }
        let leaves: Vec<_> = leaves
            .into_iter()
            .filter_map(|(list, records, all, said)| {
                Some(Leaf { pagination: self.paginations.get(list)?, records, from, all, said })
            })
            .collect();
        let route = self.routes.lists.get(at).ok_or("there is no such list")?;
        let link = |name: &str, from: usize| route.link(&self.here, name, from);
        let page = page(&leaves, &link)?;
        let mut answer = FakeResponse::json(page.body);
        answer.headers.extend(page.headers);
        self.written.insert((at, from), answer.clone());
        Ok(answer)
    }

    /// How many records a list has.
    fn length(&mut self, list: usize) -> Option<usize> {
        if let Some(listed) = self.listed.as_ref().and_then(|listed| listed.get(list)) {
            return Some(listed.len());
        }
        Some(self.texts(list).len())
    }

    fn records(&mut self, list: usize, from: usize, to: usize) -> Result<Vec<String>, String> {
        let people = self.definition.people.len();
        let numbers = self
            .listed
            .as_ref()
            .and_then(|listed| listed.get(list))
            .map(|all| all.get(from.min(to)..to).unwrap_or_default().to_vec());
        let Some(numbers) = numbers else {
            let texts = self.texts(list).get(from.min(to)..to).unwrap_or_default().to_vec();
            return texts.iter().map(|text| self.entry(list, text)).collect();
        };
        let record = if list < people { 0 } else { list - people + 1 };
        numbers.into_iter().map(|entry| self.record(entry, record)).collect()
    }

    fn record(&mut self, entry: ListRecord, record: usize) -> Result<String, String> {
        let mut text = String::with_capacity(512);
        if entry.past {
            let past = self.past(entry.number);
            past.into_iter().for_each(|(person, template)| self.renderer.write(&person, &template, record, &mut text));
        } else if let Some(person) = self.company.person(entry.number, &self.moment)
            && let Some(template) = self.renderer.template(&person, &self.moment)?
        {
            self.renderer.write(&person, &template, record, &mut text);
        }
        Ok(text)
    }

    /// The answer that begins an export, or says that it is done.
    fn exported(&self, list: usize, begins: bool) -> Result<FakeResponse, String> {
        let lists = parts(&self.definition);
        let export = lists.get(list).and_then(|(_, list)| list.export.as_ref()).ok_or("there is no such export")?;
        let done = export.done.is.first().map(String::as_str).unwrap_or_default();
        let (place, word) = match (begins, &export.job) {
            (false, _) => (&export.done.path, done),
            (true, Where::Path(path)) => (path, ONE),
            (true, Where::Header(name)) => {
                let mut answer = FakeResponse::json("{}");
                answer.headers.push((name.to_ascii_lowercase(), format!("{}/{ONE}", self.here)));
                return Ok(answer);
            }
        };
        let mut body = Json::Null;
        Path::parse(place)?.put(&mut body, &word.into(), 0).map_err(|_| "an export cannot be said")?;
        Ok(FakeResponse::json(body.to_string()))
    }

    fn found(&mut self, asked: &FakeRequest) -> Result<FakeResponse, String> {
        if let Some((list, begins)) = self.routes.export(asked) {
            return self.exported(list, begins);
        }
        if let Some(at) = self.routes.list(asked) {
            if self.ended.len() == self.definition.people.len() {
                self.ended.clear();
                self.moment.answers += 1;
                if self.company.scenario.comes_with_answers() {
                    self.forget();
                }
            }
            self.list()?;
            let Some(pagination) = self.paginations.get(at) else { return Err("there is no such list".to_owned()) };
            let Some(from) = pagination.from(asked) else {
                return Ok(FakeResponse::refused(400, "there is no such page"));
            };
            let all = self.length(at).unwrap_or_default();
            let last = self.paginations.get(at).is_some_and(|pagination| from.saturating_add(pagination.size()) >= all);
            if at < self.definition.people.len() && last {
                self.ended.insert(at);
            }
            return self.page(at, from);
        }
        match self.routes.detail(asked) {
            Some((at, of)) => self.about(at, &of),
            None => Ok(FakeResponse::refused(404, "the definition asks for no such thing")),
        }
    }
}

impl System for Generated {
    fn part(&self, asked: &FakeRequest, _: Option<&RequestKind>) -> RequestKind {
        self.routes.part(asked, None)
    }

    fn answer(&mut self, asked: &FakeRequest) -> FakeResponse {
        if self.routes.part(asked, None) == RequestKind::Token {
            return self.sign_in.token(asked);
        }
        if let Some(why) = self.sign_in.missing(asked) {
            return FakeResponse::refused(401, &why);
        }
        self.found(asked).unwrap_or_else(|why| FakeResponse::refused(500, &why))
    }

    fn expire(&mut self) -> bool {
        self.sign_in.expire()
    }

    fn turn_pages(&mut self, lost: Option<usize>, twice: Option<usize>) {
        (self.lost, self.twice) = (lost, twice);
        self.forget();
    }

    fn pass_day(&mut self) -> Result<String, String> {
        self.moment.day += 1;
        self.forget();
        Ok(format!("day {}", self.moment.day))
    }

    fn leave(&mut self, id: &str) -> Result<String, String> {
        let number = Company::number(id).filter(|number| *number < self.company.numbers(&self.moment));
        let number = number.ok_or_else(|| format!("there is nobody with the id {}", quoted(id)))?;
        self.moment.made_to_leave.insert(number);
        self.forget();
        Ok(format!("{id} has left"))
    }
}

/// Leaves a page out, or has it twice.
fn turned(list: &mut Vec<ListRecord>, size: usize, lost: Option<usize>, twice: Option<usize>) {
    let bounds = |page: usize, length: usize| {
        let from = page.saturating_sub(1).saturating_mul(size).min(length);
        from..from.saturating_add(size).min(length)
    };
    if let Some(page) = lost {
        list.drain(bounds(page, list.len()));
    }
    if let Some(page) = twice {
        let bounds = bounds(page, list.len());
        let again = list.get(bounds.clone()).unwrap_or_default().to_vec();
        list.splice(bounds.end..bounds.end, again);
    }
}
