//! Puts values where paths lead, and tries another place where they cannot be read back.

use serde_json::Value as Json;

use super::{Hole, InverseDefinition, Item, MAX_ELEMENTS, MAX_TRIES, Path, Placed, Wish};
use hris::json;
use hris::path::plain;
use hris::row::Row;

impl InverseDefinition {
    /// Puts every value where it belongs.
    pub(super) fn placed(&self, wishes: &[Wish]) -> Option<Placed> {
        // First what must be empty, which every later step then checks; words before texts, since filters ask for them.
        let rank = |wish: &Wish| match wish {
            Wish::Nothing => 0,
            Wish::One(texts) if texts.iter().all(|text| !is_mark(text)) => 1,
            Wish::One(_) => 2,
            Wish::Name => 3,
            Wish::Any => 4,
        };
        let mut order: Vec<usize> = (0..self.items.len()).collect();
        order.sort_by_key(|at| wishes.get(*at).map_or(4, rank));
        order.retain(|at| wishes.get(*at) != Some(&Wish::Any));
        let mut tries = MAX_TRIES;
        let records = self.place(wishes, &order, 0, &self.begun, &mut tries)?;
        Some(Placed { records, wishes: wishes.to_vec(), order })
    }

    fn place(
        &self,
        wishes: &[Wish],
        order: &[usize],
        done: usize,
        records: &[Json],
        tries: &mut usize,
    ) -> Option<Vec<Json>> {
        let Some(at) = order.get(done) else { return Some(records.to_vec()) };
        let (item, wish) = (self.items.get(*at)?, wishes.get(*at)?);
        let placed = order.get(..=done)?;
        for parts in parts(item, wish) {
            let elements = if parts.iter().any(|(way, _)| way.has_choice()) { MAX_ELEMENTS } else { 1 };
            for choice in 0..elements {
                *tries = tries.checked_sub(1)?;
                let mut records = records.to_vec();
                let record = records.get_mut(item.record)?;
                let put = parts.iter().try_for_each(|(way, text)| way.put(record, text, choice));
                if put.is_ok()
                    && self.reads(wishes, placed, item.record, record)
                    && let Some(found) = self.place(wishes, order, done + 1, &records, tries)
                {
                    return Some(found);
                }
            }
        }
        None
    }

    /// Whether a record reads as it is meant to, as far as it is written.
    pub(super) fn reads(&self, wishes: &[Wish], placed: &[usize], record: usize, written: &Json) -> bool {
        let Some(reader) = self.readers.get(record) else { return false };
        let mut row = Row::default();
        let read = json::read(written.to_string().as_bytes(), reader, &mut |found| {
            row = found.clone();
            Ok(())
        });
        let as_meant = |at: &usize| {
            let (Some(item), Some(wish)) = (self.items.get(*at), wishes.get(*at)) else { return false };
            if item.record != record {
                return true;
            }
            match (row.at(*at), wish) {
                (_, Wish::Any) | (Ok(None), Wish::Nothing) => true,
                (Ok(Some(found)), Wish::One(texts)) => texts.iter().filter_map(plain).any(|text| text == found),
                (Ok(Some(found)), Wish::Name) => found == Hole::First.mark() + &item.value.with + &Hole::Last.mark(),
                _ => false,
            }
        };
        read.is_ok() && placed.iter().all(as_meant)
    }
}

/// The ways in which a wish can be put: each is some texts, and where they go.
fn parts<'i>(item: &'i Item, wish: &Wish) -> Vec<Vec<(&'i Path, Json)>> {
    match wish {
        Wish::Any | Wish::Nothing => vec![Vec::new()],
        Wish::Name => {
            let ends = item.ways.first().zip(item.ways.last());
            ends.map(|(first, last)| vec![(first, Hole::First.mark().into()), (last, Hole::Last.mark().into())])
                .into_iter()
                .collect()
        }
        Wish::One(texts) => {
            let each = |text: &Json| item.ways.iter().map(|way| vec![(way, text.clone())]).collect::<Vec<_>>();
            texts.iter().flat_map(each).collect()
        }
    }
}

fn is_mark(text: &Json) -> bool {
    text.as_str().is_some_and(|text| text.starts_with('\u{e000}'))
}
