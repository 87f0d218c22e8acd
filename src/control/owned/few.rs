//! A set that nearly always has one element, in a few bytes: a tree of one takes the room of eleven, and there are several for each
//! person.

use std::borrow::Borrow;

/// Elements in their order, each once.
#[derive(Debug)]
pub struct Few<T>(Vec<T>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Few<T> {
    /// Adds one; nothing if it is there.
    pub fn insert(&mut self, one: T) {
        if let Err(position) = self.0.binary_search(&one) {
            if self.0.is_empty() {
                self.0.reserve_exact(1);
            }
            self.0.insert(position, one);
        }
    }

    /// Takes one out, if it is there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, one: &Q)
    where
        T: Borrow<Q>,
    {
        if let Ok(position) = self.0.binary_search_by(|other| other.borrow().cmp(one)) {
            self.0.remove(position);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_there_once_in_order_and_goes_when_it_is_taken_out() {
        let mut few = Few::default();
        ["b", "a", "b", "c"].iter().for_each(|one| few.insert((*one).to_owned()));
        assert_eq!((&few).into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
        few.remove("b");
        few.remove("z");
        assert_eq!((&few).into_iter().collect::<Vec<_>>(), ["a", "c"]);
        few.remove("a");
        few.remove("c");
        assert!(few.is_empty());
    }
}
