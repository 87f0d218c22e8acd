//! The entries of one answer: what of their attributes is mapped, and who is whose manager.

use std::collections::hash_map::Entry as Slotted;
use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value as Json, json};

use super::super::mapping::MOST_RECORDS;
use super::super::row::Slot;
use super::LdapMapping;
use super::dn;
use super::message::Entry;
use super::syntax::{Syntax, Value};
use domain::employee::Failure;

/// Records of a page that is mapped.
const PAGE: usize = 1000;

/// An attribute that is read.
struct Attribute {
    name: String,
    syntax: Syntax,
}

/// All entries that came. Each has one value for each attribute.
pub(super) struct Entries {
    attributes: Vec<Attribute>,
    /// The attribute that is the employee id.
    id: Option<usize>,
    records: Vec<Box<[Value]>>,
    /// Which record has this name.
    names: HashMap<Box<str>, usize>,
    /// How many entries have several values of an attribute.
    several: BTreeMap<usize, u32>,
}

impl Entries {
    pub(super) fn new(attributes: &[String], mapping: &LdapMapping) -> Self {
        let id = mapping.definition.fields.get(&Slot::EmployeeId).and_then(|value| value.paths.first());
        let id = attributes.iter().position(|name| Some(name) == id);
        let attributes =
            attributes.iter().map(|name| Attribute { name: name.clone(), syntax: mapping.syntax(name) }).collect();
        Self { attributes, id, records: Vec::new(), names: HashMap::new(), several: BTreeMap::new() }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.records.len()
    }

    /// Takes an entry.
    ///
    /// # Errors
    /// `TooLarge`; `Truncated` when it is one that was there already, since a page then leads back to an earlier one.
    pub(super) fn take(&mut self, entry: Entry) -> Result<(), Failure> {
        if self.records.len() >= MOST_RECORDS {
            return Err(Failure::TooLarge);
        }
        let name = dn::canonical(&entry.dn).unwrap_or_else(|| entry.dn.clone());
        match self.names.entry(name.into()) {
            Slotted::Occupied(_) => {
                let number = self.records.len() + 1;
                return Err(Failure::Truncated(format!("entry {number} was there already: a page leads back")));
            }
            Slotted::Vacant(place) => place.insert(self.records.len()),
        };
        let mut record = vec![Value::Nothing; self.attributes.len()].into_boxed_slice();
        for (name, value, count) in entry.attributes {
            // Options such as languages make another attribute of it (RFC 4512, section 2.5.2).
            let at = self.attributes.iter().position(|one| one.name.eq_ignore_ascii_case(&name));
            let Some((at, attribute)) = at.and_then(|at| Some((at, self.attributes.get(at)?))) else { continue };
            if count > 1 {
                *self.several.entry(at).or_default() += 1;
            }
            if let Some(place) = record.get_mut(at) {
                *place = attribute.syntax.read(&value);
            }
        }
        self.records.push(record);
        Ok(())
    }

    /// What was noticed of all of them.
    pub(super) fn remarks(&self) -> Vec<String> {
        let name = |at: usize| self.attributes.get(at).map_or("", |attribute| attribute.name.as_str());
        let several = self.several.iter();
        several
            .map(|(at, people)| format!("{}: {people} people have several values, the first is read", name(*at)))
            .collect()
    }

    /// The entries as pages of records. The name of a manager becomes the id that this entry has among them; one who is not among them
    /// is left out.
    pub(super) fn pages(self) -> impl Iterator<Item = Vec<u8>> {
        let pages = self.records.len().div_ceil(PAGE).max(1);
        (0..pages).map(move |page| {
            let records = self.records.iter().skip(page * PAGE).take(PAGE);
            let records: Vec<Json> = records.map(|record| self.record(record)).collect();
            serde_json::to_vec(&json!({ "entries": records })).unwrap_or_default()
        })
    }

    fn record(&self, record: &[Value]) -> Json {
        let values = self.attributes.iter().zip(record).filter_map(|(attribute, value)| {
            let value = match value {
                Value::Nothing => return None,
                Value::Unfit => json!([]),
                Value::Text(name) if attribute.syntax == Syntax::Dn => Json::from(self.id_of(name)?),
                Value::Text(text) => Json::from(&**text),
            };
            Some((attribute.name.clone(), value))
        });
        Json::Object(values.collect::<Map<_, _>>())
    }

    /// The employee id of the entry with this name.
    fn id_of(&self, name: &str) -> Option<&str> {
        match self.records.get(*self.names.get(name)?)?.get(self.id?)? {
            Value::Text(id) => Some(id),
            _ => None,
        }
    }
}
