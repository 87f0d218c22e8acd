//! The API of a kind, with every name and namespace as data.
//!
//! The client library puts both into the URL's path as they are, and names of RBAC objects may hold anything but `/`
//! and `%`: asked for `mine?x` it reads `mine`, and answers that nothing is there. Here they are percent-encoded. The
//! library's own methods that take a name are forbidden by `clippy.toml`, so that nobody goes round this one.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::Deref;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::api::policy::v1::Eviction;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, Preconditions};
use kube::api::{DeleteParams, ListParams, ObjectMeta, PartialObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// `kube::Api` whose named calls encode what they name. Lists, creations and watches are the library's own.
pub struct Api<K>(kube::Api<K>);

impl<K: Clone> Clone for Api<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> Deref for Api<K> {
    type Target = kube::Api<K>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K: Resource> Api<K>
where
    K::DynamicType: Default,
{
    /// Objects of every namespace, or of a kind that belongs to none.
    #[must_use]
    pub fn all(client: Client) -> Self {
        Self(kube::Api::all(client))
    }

    /// Objects of one namespace.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "encoded")]
    pub fn namespaced(client: Client, namespace: &str) -> Self
    where
        K: Resource<Scope = NamespaceResourceScope>,
    {
        Self(kube::Api::namespaced(client, &segment(namespace)))
    }
}

impl<K: Resource> Api<K> {
    /// Objects of a kind that is named at run time and belongs to no namespace.
    #[must_use]
    pub fn all_with(client: Client, kind: &K::DynamicType) -> Self {
        Self(kube::Api::all_with(client, kind))
    }

    /// Objects of one namespace, of a kind that is named at run time.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "encoded")]
    pub fn namespaced_with(client: Client, namespace: &str, kind: &K::DynamicType) -> Self
    where
        K: Resource<Scope = kube::core::DynamicResourceScope>,
    {
        Self(kube::Api::namespaced_with(client, &segment(namespace), kind))
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place that calls them: every name is encoded")]
impl<K: Clone + DeserializeOwned + Debug> Api<K> {
    /// One object; that there is none is an error.
    ///
    /// # Errors
    /// The call's own.
    pub async fn get(&self, name: &str) -> kube::Result<K> {
        self.0.get(&segment(name)).await
    }

    /// One object, if there is one.
    ///
    /// # Errors
    /// The call's own.
    pub async fn get_opt(&self, name: &str) -> kube::Result<Option<K>> {
        self.0.get_opt(&segment(name)).await
    }

    /// The metadata of one object, if there is one.
    ///
    /// # Errors
    /// The call's own.
    pub async fn get_metadata_opt(&self, name: &str) -> kube::Result<Option<PartialObjectMeta<K>>> {
        self.0.get_metadata_opt(&segment(name)).await
    }

    /// The object of this name out of a list that is as new as the call: unlike a 404 it says that this very name was
    /// looked for, and found or not.
    ///
    /// # Errors
    /// The call's own.
    pub async fn listed(&self, name: &str) -> kube::Result<Vec<K>> {
        Ok(self.0.list(&ListParams::default().fields(&format!("metadata.name={}", selected(name)))).await?.items)
    }

    /// Replaces one object.
    ///
    /// # Errors
    /// The call's own.
    pub async fn replace(&self, name: &str, params: &PostParams, object: &K) -> kube::Result<K>
    where
        K: Serialize,
    {
        self.0.replace(&segment(name), params, object).await
    }

    /// Changes one object.
    ///
    /// # Errors
    /// The call's own.
    pub async fn patch<P: Serialize + Debug>(
        &self,
        name: &str,
        params: &PatchParams,
        patch: &Patch<P>,
    ) -> kube::Result<K> {
        self.0.patch(&segment(name), params, patch).await
    }

    /// Changes one object, and is answered with its metadata alone: what else is in it is not sent back.
    ///
    /// # Errors
    /// The call's own.
    pub async fn patch_metadata<P: Serialize + Debug>(
        &self,
        name: &str,
        params: &PatchParams,
        patch: &Patch<P>,
    ) -> kube::Result<PartialObjectMeta<K>> {
        self.0.patch_metadata(&segment(name), params, patch).await
    }

    /// Changes the status of one object.
    ///
    /// # Errors
    /// The call's own.
    pub async fn patch_status<P: Serialize + Debug>(
        &self,
        name: &str,
        params: &PatchParams,
        patch: &Patch<P>,
    ) -> kube::Result<K> {
        self.0.patch_status(&segment(name), params, patch).await
    }

    /// Deletes one object, and gives it back if a finalizer still holds it. Only `revoke` may.
    ///
    /// # Errors
    /// The call's own.
    pub async fn delete(&self, name: &str, params: &DeleteParams) -> kube::Result<Option<K>>
    where
        K: Resource,
    {
        let left = self.0.delete(&segment(name), params).await?.left();
        Ok(left.filter(|object| object.meta().finalizers.as_ref().is_some_and(|held| !held.is_empty())))
    }
}

impl Api<Pod> {
    /// Has the pod of this uid evicted, which keeps to PodDisruptionBudgets; or asks whether it would be. Only `revoke` may.
    ///
    /// # Errors
    /// The call's own; 429 where a budget refuses it for now.
    #[allow(clippy::disallowed_methods, reason = "encoded; the library's own call sends no precondition")]
    pub async fn evict(&self, name: &str, uid: &str, ask: bool) -> kube::Result<()> {
        let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let eviction = Eviction {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            delete_options: Some(DeleteOptions { preconditions: Some(preconditions), ..DeleteOptions::default() }),
        };
        let params = PostParams { dry_run: ask, ..PostParams::default() };
        let _: serde_json::Value = self.0.create_subresource("eviction", &segment(name), &params, &eviction).await?;
        Ok(())
    }
}

impl Api<ServiceAccount> {
    /// Has a token made for one account.
    ///
    /// # Errors
    /// The call's own.
    #[allow(clippy::disallowed_methods, reason = "encoded")]
    pub async fn create_token_request(&self, name: &str, request: &TokenRequest) -> kube::Result<TokenRequest> {
        self.0.create_token_request(&segment(name), &PostParams::default(), request).await
    }
}

impl<K> Api<K> {
    /// For what watches, and names nothing.
    #[must_use]
    pub fn watched(self) -> kube::Api<K> {
        self.0
    }
}

impl<K: Clone + DeserializeOwned + Debug> Api<K> {
    /// Uids of everything there is, out of a list that is as new as the call and rests on no name.
    ///
    /// # Errors
    /// The call's own.
    pub async fn uids(&self) -> kube::Result<BTreeSet<String>> {
        let mut uids = BTreeSet::new();
        let mut params = ListParams::default().limit(500);
        loop {
            let page = self.0.list_metadata(&params).await?;
            uids.extend(page.items.into_iter().filter_map(|object| object.metadata.uid));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(uids),
            }
        }
    }
}

/// A name as one segment of a path (RFC 3986, section 2.3). What no object can be called (`.`, `..`, anything with `/`)
/// is encoded twice, which the API server refuses for its `%` instead of reading it as another path.
fn segment(name: &str) -> String {
    let twice = ["", ".", ".."].contains(&name) || name.contains('/');
    if twice && name.is_empty() {
        return "%25".to_owned();
    }
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'.' if !twice => segment.push('.'),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => segment.push(char::from(byte)),
            _ => {
                segment.push_str(if twice { "%25" } else { "%" });
                segment.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
            }
        }
    }
    segment
}

/// A name as the value of a field selector, whose own signs are `\`, `,` and `=`.
fn selected(name: &str) -> String {
    name.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_of_a_path_whatever_it_holds() {
        for (name, expected) in [
            ("deploy-7.example_~", "deploy-7.example_~"),
            ("mine?x", "mine%3Fx"),
            ("mine#x", "mine%23x"),
            ("mine x", "mine%20x"),
            ("system:node", "system%3Anode"),
            ("..x", "..x"),
            ("%41", "%2541"),
            ("ü", "%C3%BC"),
            ("\n", "%0A"),
            ("", "%25"),
            (".", "%252E"),
            ("..", "%252E%252E"),
            ("a/b", "a%252Fb"),
            ("../secrets/x", "%252E%252E%252Fsecrets%252Fx"),
        ] {
            assert_eq!(segment(name), expected, "{name:?}");
        }
    }

    #[test]
    fn a_name_is_one_value_of_a_selector_whatever_it_holds() {
        assert_eq!(selected(r"a,b=c\d"), r"a\,b\=c\\d");
    }
}
