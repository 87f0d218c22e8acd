//! What was read of a namespace a moment ago: many who leave together ask for the same.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::kube::outcome::Fault;

/// One namespace: since when, and what was read; nothing where it may not be read. The one that holds it is asking.
type Slot<T> = Arc<Mutex<Option<(Instant, Option<Arc<T>>)>>>;

/// The last reads, by namespace.
pub struct Recent<T>(Mutex<HashMap<String, Slot<T>>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Recent<T> {
    /// What was read of a namespace no longer ago than `fresh`, else what is read now. Those who ask meanwhile wait for the one answer.
    ///
    /// # Guarantees    it is never older than the call by more than `fresh`, counted from before the read
    /// # Errors        those of `read`, but for what the caller may not read: then there is nothing
    pub async fn of(
        &self,
        namespace: &str,
        fresh: Duration,
        read: impl Future<Output = Result<T, Fault>>,
    ) -> Result<Option<Arc<T>>, Fault> {
        let slot = {
            let mut slots = self.0.lock().await;
            slots.retain(|_, slot| match slot.try_lock() {
                Ok(known) => known.as_ref().is_some_and(|(at, _)| at.elapsed() < fresh),
                Err(_) => true, // somebody is asking
            });
            Arc::clone(slots.entry(namespace.to_owned()).or_default())
        };
        let mut known = slot.lock().await;
        if let Some((at, read)) = &*known
            && at.elapsed() < fresh
        {
            return Ok(read.clone());
        }
        let begun = Instant::now();
        let read = match read.await {
            Ok(read) => Some(Arc::new(read)),
            Err(fault) if fault.is_forbidden() => None,
            Err(fault) => return Err(fault),
        };
        *known = Some((begun, read.clone()));
        Ok(read)
    }
}
