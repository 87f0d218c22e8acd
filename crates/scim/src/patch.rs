//! PATCH (RFC 7644, 3.5.2): operations on a resource, all of them or none.
//!
//! Where clients differ from the RFC they are followed, as long as it is clear what they mean: the name of an operation in any case
//! (Entra ID), an operation without a path whose names are themselves paths (Entra ID, with its flag `aadOptscim062020`), a removal of
//! members by their values (Entra ID, without it), an entry that is to be changed and is not there yet. An operation without a path
//! changes what it names and nothing else: to replace the whole resource by `{"active": false}` would erase everybody whom Okta
//! deactivates.

use serde_json::{Map, Value};

use super::filter::Filter;
use super::path::{self, Path, Place};
use super::schema::{Attribute, ENTERPRISE, Kind, Type};
use super::{Class, Refused};

/// Most operations of one request.
pub const MOST_OPERATIONS: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

struct Operation<'a> {
    op: Op,
    path: Option<&'a str>,
    value: Option<&'a Value>,
}

type Resource = Map<String, Value>;

/// Applies a PATCH to a resource in the one spelling, and gives back the whole resource as it is then.
///
/// # Errors
/// What is wrong with the request; nothing of it is then done.
pub fn apply(kind: Kind, resource: &Resource, body: &Value) -> Result<Resource, Refused> {
    let mut changed = resource.clone();
    for operation in operations(body)? {
        operation.apply(kind, &mut changed)?;
    }
    kind.check(&changed)?;
    Ok(changed)
}

/// A value of an object by its name, in any case.
fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn operations(body: &Value) -> Result<Vec<Operation<'_>>, Refused> {
    let wrong = |detail: &str| Refused::new(Class::InvalidSyntax, detail);
    let operations =
        member(body, "Operations").and_then(Value::as_array).ok_or_else(|| wrong("there are no Operations"))?;
    if operations.is_empty() {
        return Err(wrong("there are no Operations"));
    }
    if operations.len() > MOST_OPERATIONS {
        return Err(Refused::new(Class::TooMany, format!("there are more than {MOST_OPERATIONS} Operations")));
    }
    let read = |operation| {
        let op = match member(operation, "op").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
            Some("add") => Op::Add,
            Some("replace") => Op::Replace,
            Some("remove") => Op::Remove,
            _ => return Err(wrong("op is none of add, replace and remove")),
        };
        let path = match member(operation, "path") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) => Some(path.as_str()).filter(|path| !path.trim().is_empty()),
            Some(_) => return Err(wrong("path is not a text")),
        };
        Ok(Operation { op, path, value: member(operation, "value") })
    };
    operations.iter().map(read).collect()
}

impl Operation<'_> {
    fn apply(&self, kind: Kind, resource: &mut Resource) -> Result<(), Refused> {
        let Some(path) = self.path else { return self.without_path(kind, resource) };
        if self.op == Op::Remove {
            return remove(&path::parse(kind, path)?, self.value, resource);
        }
        let missing = || Refused::new(Class::InvalidSyntax, "the operation has no value");
        set(self.op, &path::parse(kind, path)?, self.value.ok_or_else(missing)?, resource)
    }

    /// Each name of the value is a path. What the service alone writes and what no schema has is left out: Okta sends the
    /// whole resource back, with its id.
    fn without_path(&self, kind: Kind, resource: &mut Resource) -> Result<(), Refused> {
        if self.op == Op::Remove {
            return Err(Refused::new(Class::NoTarget, "a removal needs a path"));
        }
        let values = self.value.and_then(Value::as_object);
        let values =
            values.ok_or_else(|| Refused::new(Class::InvalidSyntax, "an operation without a path needs an object"))?;
        for (name, value) in values {
            match path::parse(kind, name) {
                Ok(path) => set(self.op, &path, value, resource)?,
                Err(refused) if matches!(refused.class, Class::InvalidPath | Class::Mutability) => {}
                Err(refused) => return Err(refused),
            }
        }
        Ok(())
    }
}

/// The object in which an attribute stands: the resource, or its extension.
fn home<'a>(place: &Place, resource: &'a mut Resource) -> Result<&'a mut Resource, Refused> {
    if !place.extension {
        return Ok(resource);
    }
    let extension = resource.entry(ENTERPRISE).or_insert_with(|| Value::Object(Map::new()));
    extension.as_object_mut().ok_or_else(unreadable)
}

/// Nothing that was stored has a wrong form.
fn unreadable() -> Refused {
    Refused::new(Class::InvalidValue, "the resource cannot be read")
}

fn set(op: Op, path: &Path, value: &Value, resource: &mut Resource) -> Result<(), Refused> {
    match path {
        Path::Nothing => {}
        Path::Extension => {
            let values =
                value.as_object().ok_or_else(|| Refused::new(Class::InvalidValue, "the extension is not an object"))?;
            for (name, value) in values {
                match path::parse(Kind::User, &format!("{ENTERPRISE}:{name}")) {
                    Ok(path) => set(op, &path, value, resource)?,
                    Err(refused) if refused.class == Class::InvalidPath => {}
                    Err(refused) => return Err(refused),
                }
            }
        }
        Path::To { place, entries: Some(entries) } => set_entries(place, entries, value, home(place, resource)?)?,
        Path::To { place, entries: None } => set_attribute(op, place, value, home(place, resource)?)?,
    }
    tidy(resource);
    Ok(())
}

/// Sets an attribute, or a part of it. An empty value is none.
fn set_attribute(op: Op, place: &Place, value: &Value, home: &mut Resource) -> Result<(), Refused> {
    let attribute = place.attribute;
    if let Some(part) = place.part {
        let value = part.take(value)?;
        match home.entry(attribute.name) {
            serde_json::map::Entry::Occupied(mut at) => match at.get_mut() {
                Value::Array(entries) => entries
                    .iter_mut()
                    .filter_map(Value::as_object_mut)
                    .for_each(|entry| put(entry, part, value.clone())),
                Value::Object(complex) => put(complex, part, value),
                _ => return Err(unreadable()),
            },
            serde_json::map::Entry::Vacant(at) => {
                if let Some(value) = value {
                    let one = Value::Object(Map::from_iter([(part.name.to_owned(), value)]));
                    at.insert(if attribute.most.is_some() { Value::Array(vec![one]) } else { one });
                }
            }
        }
        return Ok(());
    }
    let Some(taken) = attribute.take(value)? else {
        if op == Op::Replace {
            home.remove(attribute.name);
        }
        return Ok(());
    };
    match (home.get_mut(attribute.name), taken) {
        (Some(Value::Array(entries)), Value::Array(more)) if op == Op::Add => add(attribute, entries, more)?,
        // The parts that are not named stay.
        (Some(Value::Object(complex)), Value::Object(parts)) => complex.extend(parts),
        (_, taken) => drop(home.insert(attribute.name.to_owned(), taken)),
    }
    if let Some(Value::Array(entries)) = home.get_mut(attribute.name) {
        one_primary(entries, None);
    }
    Ok(())
}

fn put(into: &mut Resource, part: &Attribute, value: Option<Value>) {
    match value {
        Some(value) => drop(into.insert(part.name.to_owned(), value)),
        None => drop(into.remove(part.name)),
    }
}

/// Adds entries that are not there yet. Members are told apart by their value.
fn add(attribute: &Attribute, entries: &mut Vec<Value>, more: Vec<Value>) -> Result<(), Refused> {
    let large = entries.len() + more.len() > 64;
    let known: std::collections::HashSet<String> =
        if large { entries.iter().map(identity).collect() } else { std::collections::HashSet::new() };
    for entry in more {
        let there = if large { known.contains(&identity(&entry)) } else { entries.iter().any(|one| same(one, &entry)) };
        if !there {
            let primary = is_primary(&entry).then_some(entries.len());
            entries.push(entry);
            if primary.is_some() {
                one_primary(entries, primary);
            }
        }
    }
    if attribute.most.is_some_and(|most| entries.len() > most) {
        return Err(Refused::new(Class::TooMany, format!("{} has too many entries", attribute.name)));
    }
    Ok(())
}

/// What tells an entry from another: its value and kind, or all of it.
fn identity(entry: &Value) -> String {
    match (entry.get("value"), entry.get("type")) {
        (Some(Value::String(value)), Some(Value::String(kind))) => format!("{value}\u{0}{kind}"),
        (Some(Value::String(value)), _) => value.clone(),
        _ => entry.to_string(),
    }
}

fn same(one: &Value, other: &Value) -> bool {
    identity(one) == identity(other)
}

fn is_primary(entry: &Value) -> bool {
    entry.get("primary").and_then(Value::as_bool).unwrap_or_default()
}

/// Keeps one preferred entry: the one that was set last, or the first.
fn one_primary(entries: &mut [Value], keep: Option<usize>) {
    let keep = keep.or_else(|| entries.iter().position(is_primary));
    for (at, entry) in entries.iter_mut().enumerate() {
        if Some(at) != keep
            && is_primary(entry)
            && let Some(entry) = entry.as_object_mut()
        {
            entry.insert("primary".to_owned(), false.into());
        }
    }
}

/// Changes the entries that match; where none does, makes the one that the condition describes.
fn set_entries(place: &Place, entries: &Filter, value: &Value, home: &mut Resource) -> Result<(), Refused> {
    let attribute = place.attribute;
    let parts = match place.part {
        Some(part) => part.take(value)?.map(|value| Map::from_iter([(part.name.to_owned(), value)])),
        None => attribute.take_one_loose(value)?,
    };
    let list = home.entry(attribute.name).or_insert_with(|| Value::Array(Vec::new()));
    let list = list.as_array_mut().ok_or_else(unreadable)?;
    let (mut found, mut primary) = (false, None);
    for (at, entry) in list.iter_mut().enumerate() {
        let Some(entry) = entry.as_object_mut().filter(|entry| entries.matches(entry)) else { continue };
        found = true;
        match (&parts, place.part) {
            (Some(parts), _) => entry.extend(parts.clone()),
            (None, Some(part)) => drop(entry.remove(part.name)),
            (None, None) => entry.clear(),
        }
        primary = primary.or(parts.as_ref().filter(|parts| parts.get("primary") == Some(&true.into())).map(|_| at));
    }
    if !found && let Some(parts) = parts {
        let mut wished = entries.wished().ok_or_else(|| Refused::new(Class::NoTarget, "no entry matches the path"))?;
        wished.extend(parts);
        if attribute.most.is_some_and(|most| list.len() >= most) {
            return Err(Refused::new(Class::TooMany, format!("{} has too many entries", attribute.name)));
        }
        primary = is_primary(&Value::Object(wished.clone())).then_some(list.len());
        list.push(Value::Object(wished));
    }
    one_primary(list, primary);
    Ok(())
}

impl Attribute {
    /// The parts of one entry that is changed, of which `value` may be left out.
    fn take_one_loose(&self, value: &Value) -> Result<Option<Map<String, Value>>, Refused> {
        let Type::Complex(parts) = self.type_ else { return Err(unreadable()) };
        let entry = match value {
            Value::Array(entries) if entries.len() == 1 => entries.first().unwrap_or(value),
            other => other,
        };
        if self.has_value() && entry.is_string() {
            return Ok(self.take_one(entry)?.and_then(|entry| entry.as_object().cloned()));
        }
        let sent = match entry {
            Value::Null => return Ok(None),
            entry => entry.as_object().ok_or_else(|| {
                Refused::new(Class::InvalidValue, format!("an entry of {} is not an object", self.name))
            })?,
        };
        let mut taken = Map::new();
        for (name, value) in sent {
            if let Some(part) = super::schema::find(parts, name) {
                put(&mut taken, part, part.take(value)?);
            }
        }
        Ok(Some(taken))
    }
}

fn remove(path: &Path, value: Option<&Value>, resource: &mut Resource) -> Result<(), Refused> {
    match path {
        Path::Nothing => {}
        Path::Extension => drop(resource.remove(ENTERPRISE)),
        Path::To { place, entries } => {
            if place.attribute.required && entries.is_none() {
                let detail = format!("{} is required and cannot be removed", place.attribute.name);
                return Err(Refused::new(Class::Mutability, detail));
            }
            remove_at(place, entries.as_ref(), value, home(place, resource)?)?;
        }
    }
    tidy(resource);
    Ok(())
}

fn remove_at(
    place: &Place,
    entries: Option<&Filter>,
    value: Option<&Value>,
    home: &mut Resource,
) -> Result<(), Refused> {
    let attribute = place.attribute;
    let matches =
        |entry: &Value| entries.is_none_or(|filter| entry.as_object().is_some_and(|entry| filter.matches(entry)));
    if let Some(part) = place.part {
        match home.get_mut(attribute.name) {
            Some(Value::Array(list)) => {
                let matching = list.iter_mut().filter(|entry| matches(entry)).filter_map(Value::as_object_mut);
                matching.for_each(|entry| drop(entry.remove(part.name)));
            }
            Some(Value::Object(complex)) => drop(complex.remove(part.name)),
            _ => {}
        }
        return Ok(());
    }
    let Some(at) = home.get_mut(attribute.name) else { return Ok(()) };
    match (at, value) {
        (Value::Array(list), _) if entries.is_some() => list.retain(|entry| !matches(entry)),
        // Entra ID names those to be removed in the value. To take that for all of them would empty the group.
        (Value::Array(list), Some(value)) if !value.is_null() => {
            let gone = attribute.take(value)?.unwrap_or_default();
            let gone: std::collections::HashSet<&str> =
                gone.as_array().into_iter().flatten().filter_map(|entry| entry.get("value")?.as_str()).collect();
            if gone.is_empty() {
                return Err(Refused::new(Class::InvalidValue, "the value names no entry to be removed"));
            }
            list.retain(|entry| !entry.get("value").and_then(Value::as_str).is_some_and(|value| gone.contains(value)));
        }
        _ => drop(home.remove(attribute.name)),
    }
    Ok(())
}

/// Takes away what became empty: an entry without its value, a list without entries, an object without parts.
fn tidy(resource: &mut Resource) {
    if let Some(Value::Object(extension)) = resource.get_mut(ENTERPRISE) {
        extension.retain(|_, value| !value.as_object().is_some_and(Map::is_empty));
    }
    for kind in Kind::ALL {
        for attribute in kind.attributes().iter().filter(|attribute| attribute.most.is_some()) {
            if let Some(Value::Array(list)) = resource.get_mut(attribute.name) {
                list.retain(|entry| match entry.as_object() {
                    Some(entry) if attribute.has_value() => entry.contains_key("value"),
                    Some(entry) => !entry.is_empty(),
                    None => false,
                });
            }
        }
    }
    resource.retain(|_, value| match value {
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
        _ => true,
    });
}

#[cfg(test)]
mod tests;
