//! The processes of an installation: each command under its own account, and the node for the revoker's Jobs.

use std::net::TcpListener;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use rollcall::api::names;
use serde_json::Value;

use super::{Installation, Running, suffix};
use crate::support::collector;
use crate::support::kubelet::{Kubelet, Node};
use crate::support::process::{Process, Service, operator, write_kubeconfig};
use crate::support::proxy::Proxy;
use crate::support::tokens;
use crate::support::waiting::eventually;

impl Installation {
    /// Starts all there is to run: sync, control, and the node for the revoker's Jobs.
    pub async fn run(&self) -> Running {
        Running { sync: self.sync().await, _control: self.control().await, _revoker: self.revoker() }
    }

    /// Starts `rollcall sync`.
    pub async fn sync(&self) -> Service {
        self.start("sync", &[], None).await
    }

    /// Starts `rollcall sync`, which reaches the API server through a proxy.
    pub async fn sync_through(&self, proxy: &Arc<Proxy>) -> Service {
        self.start("sync", &[], Some(proxy)).await
    }

    /// Starts `rollcall control`.
    pub async fn control(&self) -> Service {
        self.control_by(None).await
    }

    /// Starts `rollcall control`, which reaches the API server through a proxy.
    pub async fn control_through(&self, proxy: &Arc<Proxy>) -> Service {
        self.control_by(Some(proxy)).await
    }

    async fn control_by(&self, proxy: Option<&Arc<Proxy>>) -> Service {
        let namespace = self.revoker_namespace();
        let (of_hooks, sandbox) = (self.hooks_namespace(), self.target("drill"));
        let account = format!("{}-revoke", self.release);
        let (job, limits) = (self.job.lock().unwrap().clone(), self.limits.lock().unwrap().clone());
        let revoker = ["--revoker-namespace", &namespace, "--revoker-account", &account, "--revoker-job", &job];
        let never = self.values["freeze"]["never"].as_array().into_iter().flatten().filter_map(|name| name.as_str());
        let never = never.flat_map(|name| ["--never-freeze", name]);
        let hooks =
            ["--hooks-namespace", of_hooks.as_str()].into_iter().filter(|_| self.values["hooks"]["enabled"] == true);
        let returns = ["--deny-returns"].into_iter().filter(|_| self.values["returns"]["deny"] == true);
        let drill =
            ["--drill-namespace", sandbox.as_str()].into_iter().filter(|_| self.values["drill"]["enabled"] == true);
        let more =
            revoker.into_iter().chain(["--limits", &limits]).chain(never).chain(hooks).chain(returns).chain(drill);
        let more: Vec<&str> = more.collect();
        self.start("control", &more, proxy).await
    }

    /// Starts `rollcall grant`, for these targets.
    pub async fn grant(&self, targets: &[&str]) -> Service {
        self.grant_by(targets, None).await
    }

    /// The same, which reaches the API server through a proxy.
    pub async fn grant_through(&self, targets: &[&str], proxy: &Arc<Proxy>) -> Service {
        self.grant_by(targets, Some(proxy)).await
    }

    async fn grant_by(&self, targets: &[&str], proxy: Option<&Arc<Proxy>>) -> Service {
        let namespaces: Vec<String> = targets.iter().map(|target| self.target(target)).collect();
        let more: Vec<&str> = namespaces.iter().flat_map(|one| ["--grant-namespace", one.as_str()]).collect();
        self.start("grant", &more, proxy).await
    }

    /// Starts `rollcall trim`.
    pub async fn trim(&self) -> Service {
        self.trim_by(None).await
    }

    /// The same, which reaches the API server through a proxy.
    pub async fn trim_through(&self, proxy: &Arc<Proxy>) -> Service {
        self.trim_by(Some(proxy)).await
    }

    async fn trim_by(&self, proxy: Option<&Arc<Proxy>>) -> Service {
        let namespace = self.revoker_namespace();
        self.start("trim", &["--revoker-namespace", &namespace], proxy).await
    }

    /// Starts `rollcall tell`, which tells a receiver of this machine.
    pub async fn tell(&self, receiver: &str) -> Service {
        let source = "https://cluster.example.com";
        self.start("tell", &["--receiver", receiver, "--source", source, "--allow-private-addresses"], None).await
    }

    /// Runs a command to its end under an account, as its pod would; gives whether it succeeded, and what it said.
    pub async fn runs_as(&self, namespace: &str, account: &str, arguments: &[&str]) -> (bool, String) {
        self.runs_through(&self.cluster.server, namespace, account, arguments).await
    }

    /// The same, which reaches the API server at this address.
    pub async fn runs_through(
        &self,
        server: &str,
        namespace: &str,
        account: &str,
        arguments: &[&str],
    ) -> (bool, String) {
        let token = tokens::mint_unbound(&self.admin, namespace, account).await;
        let kubeconfig = write_kubeconfig(&self.directory, account, &self.cluster.kubeconfig_for(server, &token.0));
        let log = self.directory.join(format!("{account}-{}.log", suffix()));
        self.logs.lock().unwrap().push(log.clone());
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        let ended = Process::start(operator(), account, &kubeconfig, &arguments, &[], &log).end().await;
        (ended.success(), std::fs::read_to_string(log).unwrap())
    }

    /// Starts `rollcall scim`, and gives the address that clients reach it at.
    pub async fn scim(&self) -> (Service, String) {
        let clients = free_address();
        let service = self.start("scim", &["--scim-listen", &clients], None).await;
        (service, format!("http://{clients}/scim/v2"))
    }

    /// Lets control that is started from now on create other Jobs than those of the installed chart.
    pub fn declare(&self, job: &Value) {
        *self.job.lock().unwrap() = job.to_string();
    }

    /// The spec of the revoker's Job, as the chart passes it to control.
    pub fn job(&self) -> Value {
        serde_json::from_str(&self.job.lock().unwrap()).unwrap()
    }

    async fn start(&self, command: &str, more: &[&str], proxy: Option<&Arc<Proxy>>) -> Service {
        let account = format!("{}-{command}", self.release);
        let token = tokens::mint_unbound(&self.admin, &self.namespace, &account).await;
        let server = proxy.map_or(&self.cluster.server, |proxy| &proxy.url);
        let kubeconfig = write_kubeconfig(&self.directory, command, &self.cluster.kubeconfig_for(server, &token.0));
        let listen = free_address();
        self.listening.lock().unwrap().push(listen.clone());
        let arguments: Vec<String> =
            [command, "--namespace", &self.namespace, "--instance", &self.release, "--listen", &listen]
                .iter()
                .chain(more)
                .map(|word| (*word).to_owned())
                .collect();
        let log = self.directory.join(format!("{command}-{}.log", suffix()));
        self.logs.lock().unwrap().push(log.clone());
        let variables = self.variables(&account).await;
        let start = {
            let (log, proxy) = (log.clone(), proxy.cloned());
            move || {
                let process = Process::start(operator(), &account, &kubeconfig, &arguments, &variables, &log);
                if let Some(proxy) = &proxy {
                    proxy.carries(&process);
                }
                process
            }
        };
        let service = Service::keep(start);
        eventually(&format!("{command} is ready"), || async {
            let ready = reqwest::get(format!("http://{listen}/readyz")).await.ok()?;
            ready.status().is_success().then_some(())
        })
        .await;
        service
    }

    /// The variables for traces that the chart gives to a Deployment.
    async fn variables(&self, deployment: &str) -> Vec<(String, String)> {
        let deployment = self.api::<Deployment>().get_opt(deployment).await.unwrap();
        let pod = deployment.and_then(|deployment| deployment.spec?.template.spec);
        match pod.as_ref().and_then(|pod| pod.containers.first()) {
            Some(container) => collector::variables(&self.admin, &self.namespace, container).await,
            None => Vec::new(),
        }
    }

    /// Begins to run the revoker's Jobs.
    pub fn revoker(&self) -> Kubelet {
        self.node(None)
    }

    /// Begins to run the revoker's Jobs, which reach the API server through a proxy.
    pub fn revoker_through(&self, proxy: &Arc<Proxy>) -> Kubelet {
        self.node(Some(proxy.clone()))
    }

    fn node(&self, proxy: Option<Arc<Proxy>>) -> Kubelet {
        Kubelet::start(Node {
            admin: self.admin.clone(),
            namespace: self.revoker_namespace(),
            account: format!("{}-revoke", self.release),
            directory: self.directory.clone(),
            logs: self.logs.clone(),
            proxy,
        })
    }

    /// What control found out about the revoker, by an empty Job.
    pub async fn revoker_record(&self) -> Option<Value> {
        let map = self.api::<ConfigMap>().get_opt(names::CONSENTS).await.unwrap()?;
        serde_json::from_str(map.data?.get("revoker.json")?).ok()
    }

    /// Waits until the revoker is proved able to run.
    pub async fn revoker_is_ready(&self) {
        eventually("the revoker is proved able to run", || async {
            self.revoker_record().await.filter(|record| record["ready"] == true)
        })
        .await;
    }
}

/// An address of this machine that nobody listens at.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
