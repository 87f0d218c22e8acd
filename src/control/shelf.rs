//! What was watched of one kind in the people namespace, by name; and what each event changed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use tokio::sync::watch;

/// Everything of a kind, as last watched. It may nominate; what is written on its word carries a resourceVersion.
pub struct Shelf<K> {
    by_name: RwLock<HashMap<String, Arc<K>>>,
    listed: RwLock<HashMap<String, Arc<K>>>,
    ready: watch::Sender<bool>,
}

impl<K> Default for Shelf<K> {
    fn default() -> Self {
        Self { by_name: RwLock::default(), listed: RwLock::default(), ready: watch::Sender::new(false) }
    }
}

/// What one event made of one object.
pub struct Changed<K> {
    /// As it was; none if it is new.
    pub before: Option<Arc<K>>,
    /// As it is; none if it is gone.
    pub after: Option<Arc<K>>,
}

impl<K: Resource> Shelf<K> {
    /// Takes an event over, and says what changed by it. A list that was made again changes only what is different in it.
    pub fn see(&self, event: Event<K>) -> Vec<Changed<K>> {
        match event {
            Event::Init => self.listed.write().unwrap_or_else(PoisonError::into_inner).clear(),
            Event::InitApply(object) => {
                let object = stripped(object);
                let mut listed = self.listed.write().unwrap_or_else(PoisonError::into_inner);
                listed.insert(object.name_any(), object);
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut *self.listed.write().unwrap_or_else(PoisonError::into_inner));
                let changed = self.replace(listed);
                self.ready.send_replace(true);
                return changed;
            }
            Event::Apply(object) => {
                let after = stripped(object);
                let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
                let before = by_name.insert(after.name_any(), Arc::clone(&after));
                return vec![Changed { before, after: Some(after) }];
            }
            Event::Delete(object) => {
                let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
                let gone = by_name.remove(&object.name_any());
                return gone.map(|before| Changed { before: Some(before), after: None }).into_iter().collect();
            }
        }
        Vec::new()
    }

    fn replace(&self, listed: HashMap<String, Arc<K>>) -> Vec<Changed<K>> {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::replace(&mut *by_name, listed);
        let mut changed: Vec<Changed<K>> = Vec::new();
        for (name, after) in by_name.iter() {
            let before = before.remove(name);
            if before.as_ref().is_none_or(|before| before.resource_version() != after.resource_version()) {
                changed.push(Changed { before, after: Some(Arc::clone(after)) });
            }
        }
        changed.extend(before.into_values().map(|before| Changed { before: Some(before), after: None }));
        changed
    }

    /// The object of a name.
    pub fn get(&self, name: &str) -> Option<Arc<K>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All of them.
    pub fn state(&self) -> Vec<Arc<K>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The first that is meant, in no order.
    pub fn find(&self, meant: impl Fn(&K) -> bool) -> Option<Arc<K>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).values().find(|object| meant(object)).cloned()
    }

    /// Waits until everything that was there at the start is held.
    pub async fn ready(&self) {
        let mut ready = self.ready.subscribe();
        if ready.wait_for(|ready| *ready).await.is_err() {
            std::future::pending::<()>().await; // the sender lives as long as `self`
        }
    }
}

/// managedFields are three quarters of an object, and nothing here reads them.
fn stripped<K: Resource>(mut object: K) -> Arc<K> {
    object.managed_fields_mut().clear();
    Arc::new(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;

    fn map(name: &str, version: &str) -> ConfigMap {
        let mut map = ConfigMap::default();
        map.metadata.name = Some(name.into());
        map.metadata.resource_version = Some(version.into());
        map
    }

    fn seen(shelf: &Shelf<ConfigMap>, events: Vec<Event<ConfigMap>>) -> Vec<(Option<String>, Option<String>)> {
        let version = |side: Option<Arc<ConfigMap>>| side.and_then(|map| map.resource_version());
        let changed = events.into_iter().flat_map(|event| shelf.see(event));
        let mut all: Vec<_> = changed.map(|changed| (version(changed.before), version(changed.after))).collect();
        all.sort();
        all
    }

    #[test]
    fn a_list_made_again_changes_what_is_different_in_it_and_nothing_else() {
        let shelf = Shelf::default();
        let (one, two, gone) = (map("a", "1"), map("b", "2"), map("c", "3"));
        let first = [one.clone(), two, gone].map(Event::InitApply);
        seen(&shelf, [Event::Init].into_iter().chain(first).chain([Event::InitDone]).collect());
        let again = [one, map("b", "7"), map("d", "8")].map(Event::InitApply);
        let changed = seen(&shelf, [Event::Init].into_iter().chain(again).chain([Event::InitDone]).collect());
        let some = |version: &str| Some(version.to_owned());
        assert_eq!(changed, [(None, some("8")), (some("2"), some("7")), (some("3"), None)]);
    }
}
