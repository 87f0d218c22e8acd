//! The trust gate's memory in a Secret: one object a connection, owned by it and written by sync alone.
//!
//! A Secret, since the key in it is what keeps digests and sketches from being guessed. Writes only what changed.

use std::collections::BTreeMap;

use crate::kube::named::Api;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ObjectMeta, PostParams};
use kube::{Client, Resource, ResourceExt};

use super::Context;
use crate::api::{HRConnection, names};
use crate::kube::calls;
use crate::kube::outcome::Fault;
use domain::trust::{Memory, Snapshot};

/// Type of the Secret.
const TYPE: &str = "rollcall.dev/memory";
/// Its one key.
const KEY: &str = "memory";

/// The memory, and the version it was read at.
pub struct StoredMemory {
    /// The memory.
    pub memory: Memory,
    resource_version: Option<String>,
}

/// Reads the memory of a connection, and begins one where there is none.
///
/// A memory that cannot be read, or is of a deleted connection of the same name, is replaced by an empty one: whether that is a loss
/// is the gate's to say, by what the connection's status remembers.
///
/// # Flow          get the Secret; where there is no readable one, write a fresh memory with a random key
/// # Guarantees    the key of a digest that was shown to an admin is the key of the next poll's; a Secret of another
///                 type is never written over
/// # Assumptions   only sync writes it; it may get, create and update Secrets in its own namespace
/// # Errors        transient: asked again; stalled: another Secret has the name
pub async fn load(ctx: &Context, connection: &HRConnection) -> Result<StoredMemory, Fault> {
    let secrets = secrets(ctx);
    let name = name(connection);
    let current = calls::call("read the gate's memory", secrets.get_opt(&name)).await?;
    if current.as_ref().is_some_and(|secret| secret.type_.as_deref() != Some(TYPE)) {
        return Err(Fault::Stalled(format!("Secret {name} is not of type {TYPE}, and its name is needed: remove it")));
    }
    let version = current.as_ref().and_then(ResourceExt::resource_version);
    match current.and_then(|secret| remembered(&secret, connection)) {
        Some(memory) => Ok(StoredMemory { memory, resource_version: version }),
        None => write(&secrets, connection, Memory::fresh(&random()?), version).await,
    }
}

/// Keeps a memory, before the answer it is of is used. Writes nothing where nothing changed.
///
/// # Flow          replace the Secret at the version it was read
/// # Guarantees    of two processes that both think they lead, one keeps its memory and the other gets an error
/// # Assumptions   as for [`load`]
/// # Errors        transient: the whole poll is repeated
pub async fn save(ctx: &Context, connection: &HRConnection, kept: StoredMemory, memory: Memory) -> Result<(), Fault> {
    if kept.memory == memory {
        return Ok(());
    }
    write(&secrets(ctx), connection, memory, kept.resource_version).await?;
    Ok(())
}

/// Whether another answer of a connection was trusted after this one, by whatever process. A memory that is lost says nothing.
///
/// # Errors
/// When it cannot be read.
pub async fn is_newer(client: &Client, namespace: &str, connection: &str, snapshot: &Snapshot) -> Result<bool, Fault> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = calls::call("read the gate's memory", secrets.get_opt(&named(connection))).await?;
    let stored = secret.and_then(|secret| secret.data?.remove(KEY));
    Ok(stored.and_then(|stored| Memory::parse(&stored.0)).is_some_and(|memory| memory.is_of_another(snapshot)))
}

async fn write(
    secrets: &Api<Secret>,
    connection: &HRConnection,
    memory: Memory,
    resource_version: Option<String>,
) -> Result<StoredMemory, Fault> {
    let create = resource_version.is_none();
    let secret = manifest(connection, &memory, resource_version)?;
    let params = PostParams { field_manager: Some(super::MANAGER.to_owned()), ..PostParams::default() };
    let written = if create {
        calls::call("create the gate's memory", secrets.create(&params, &secret)).await?
    } else {
        calls::call("keep the gate's memory", secrets.replace(&name(connection), &params, &secret)).await?
    };
    Ok(StoredMemory { memory, resource_version: written.resource_version() })
}

/// The Secret as it is written; a `resource_version` makes the write conditional on it.
fn manifest(connection: &HRConnection, memory: &Memory, resource_version: Option<String>) -> Result<Secret, Fault> {
    let stored = memory.stored().map_err(|_| fault("write the gate's memory", "it cannot be serialized"))?;
    let owner = OwnerReference {
        api_version: HRConnection::api_version(&()).into_owned(),
        kind: HRConnection::kind(&()).into_owned(),
        name: connection.name_any(),
        uid: connection.uid().unwrap_or_default(),
        ..OwnerReference::default()
    };
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(name(connection)),
            labels: Some(BTreeMap::from([(names::PART.to_owned(), KEY.to_owned())])),
            owner_references: Some(vec![owner]),
            resource_version,
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.to_owned()),
        data: Some(BTreeMap::from([(KEY.to_owned(), ByteString(stored))])),
        ..Secret::default()
    })
}

/// The memory in a Secret, if it is this connection's and can be read.
fn remembered(secret: &Secret, connection: &HRConnection) -> Option<Memory> {
    let uid = connection.uid()?;
    let owned = secret.owner_references().iter().any(|owner| owner.uid == uid);
    let stored = secret.data.as_ref()?.get(KEY)?;
    Memory::parse(&stored.0).filter(|_| owned)
}

fn name(connection: &HRConnection) -> String {
    named(&connection.name_any())
}

fn named(connection: &str) -> String {
    format!("rollcall-memory-{connection}")
}

fn secrets(ctx: &Context) -> Api<Secret> {
    Api::namespaced(ctx.client.clone(), &ctx.namespace)
}

fn random() -> Result<[u8; 32], Fault> {
    let mut key = [0; 32];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut key)
        .map_err(|_| fault("make a key", "the system gives no random bytes"))?;
    Ok(key)
}

fn fault(doing: &'static str, cause: &str) -> Fault {
    Fault::Transient { doing, cause: cause.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::connection::HRConnectionSpec;
    use crate::kube::scenario::{Scenario, on};
    use domain::employee::{Employee, HrId, Read, ReportedStatus, Status};
    use domain::trust::{self, Believed, Bounds, PollContext};
    use jiff::Timestamp;

    fn connection(uid: &str) -> HRConnection {
        let spec: HRConnectionSpec = serde_json::from_value(serde_json::json!({"source": {}})).expect("a spec");
        let mut connection = HRConnection::new("hq", spec);
        connection.metadata.uid = Some(uid.to_owned());
        connection
    }

    #[test]
    fn a_memory_is_read_back_by_the_connection_that_wrote_it_alone() {
        let memory = Memory::fresh(&[1; 32]);
        let secret = manifest(&connection("one"), &memory, None).expect("a manifest");
        assert_eq!(remembered(&secret, &connection("one")), Some(memory));
        assert_eq!(remembered(&secret, &connection("another of the same name")), None);
    }

    #[test]
    fn a_memory_that_cannot_be_read_is_none() {
        let mut secret = manifest(&connection("one"), &Memory::fresh(&[1; 32]), None).expect("a manifest");
        secret.data = Some(BTreeMap::from([(KEY.to_owned(), ByteString(b"{}".to_vec()))]));
        assert_eq!(remembered(&secret, &connection("one")), None);
    }

    fn trusted(memory: &Memory, ids: &[&str]) -> Believed {
        let employee = |id: &&str| {
            let active = ReportedStatus::Mapped(Status::Active);
            Employee::new(HrId((*id).into()), format!("Name {id}"), format!("{id}@example.com"), active)
        };
        let read = Read { employees: ids.iter().map(employee).collect(), ..Read::default() };
        let asked = PollContext { source: "s", remembered: false, accepted: None, known_people: &[] };
        trust::judge(read, memory, &asked, &Bounds::default(), Timestamp::UNIX_EPOCH).expect("an answer")
    }

    #[tokio::test]
    async fn an_answer_is_the_newest_until_another_one_was_trusted_by_whatever_process() {
        let first = trusted(&Memory::fresh(&[1; 32]), &["7"]);
        let second = trusted(&first.memory, &["7", "8"]);
        let path = "GET /api/v1/namespaces/rollcall/secrets/rollcall-memory-hq";
        let kept = |memory: &Memory| {
            let secret = manifest(&connection("one"), memory, None).expect("a manifest");
            on(path).answers(serde_json::to_value(secret).expect("a Secret"))
        };
        for (what, answer, of, expected) in [
            ("it was trusted last", kept(&first.memory), &first.snapshot, false),
            ("another one was trusted since", kept(&second.memory), &first.snapshot, true),
            ("the newest of two", kept(&second.memory), &second.snapshot, false),
            ("a memory of no answer", kept(&Memory::fresh(&[1; 32])), &first.snapshot, false),
            ("a memory that is gone", on(path), &first.snapshot, false),
        ] {
            let scenario = Scenario::default().then(answer);
            let newer = is_newer(&scenario.client(), "rollcall", "hq", of).await;
            assert_eq!(newer.ok(), Some(expected), "{what}");
            scenario.is_over();
        }
        let lost = Scenario::default().then(on(path).fails(500));
        assert!(is_newer(&lost.client(), "rollcall", "hq", &first.snapshot).await.is_err(), "unknown holds");
    }

    #[test]
    fn keys_differ() {
        assert_ne!(random().ok(), random().ok());
    }
}
