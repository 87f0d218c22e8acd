// external-secrets, as far as `make test-integrations` needs it: the controllers of ExternalSecrets, SecretStores and generators, with the
// provider that has what its store says, and the generator of passwords. Compiled from its published module, without its webhooks.
package main

import (
	"log"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	kubernetes "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	esv1 "github.com/external-secrets/external-secrets/apis/externalsecrets/v1"
	esv1alpha1 "github.com/external-secrets/external-secrets/apis/externalsecrets/v1alpha1"
	generators "github.com/external-secrets/external-secrets/apis/generators/v1alpha1"
	"github.com/external-secrets/external-secrets/pkg/controllers/externalsecret"
	"github.com/external-secrets/external-secrets/pkg/controllers/externalsecret/esmetrics"
	"github.com/external-secrets/external-secrets/pkg/controllers/generatorstate"
	ctrlmetrics "github.com/external-secrets/external-secrets/pkg/controllers/metrics"
	"github.com/external-secrets/external-secrets/pkg/controllers/secretstore"
	"github.com/external-secrets/external-secrets/pkg/controllers/secretstore/ssmetrics"
	_ "github.com/external-secrets/external-secrets/pkg/generator/password"
	_ "github.com/external-secrets/external-secrets/pkg/provider/fake"
)

// class is the one that stores without a class belong to.
const class = "default"

func main() {
	ctrl.SetLogger(zap.New())
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		kubernetes.AddToScheme, esv1.AddToScheme, esv1alpha1.AddToScheme, generators.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	// The controllers write metrics, and panic if nobody has made them.
	ctrlmetrics.SetUpLabelNames(false)
	esmetrics.SetUpMetrics()
	ssmetrics.SetUpMetrics()
	manager, err := ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{
		Scheme:  scheme,
		Metrics: metrics.Options{BindAddress: "0"},
	})
	if err != nil {
		return err
	}
	one := controller.Options{MaxConcurrentReconciles: 1}
	client, config := manager.GetClient(), manager.GetConfig()
	stores := secretstore.StoreReconciler{
		Client: client, Log: ctrl.Log, Scheme: scheme, ControllerClass: class, RequeueInterval: time.Minute,
	}
	states := generatorstate.Reconciler{Client: client, Log: ctrl.Log, Scheme: scheme, RestConfig: config}
	secrets := externalsecret.Reconciler{
		Client: client, SecretClient: client, Log: ctrl.Log, Scheme: scheme, RestConfig: config,
		ControllerClass: class, RequeueInterval: time.Hour,
	}
	for _, setUp := range []func(ctrl.Manager, controller.Options) error{
		stores.SetupWithManager, states.SetupWithManager, secrets.SetupWithManager,
	} {
		if err := setUp(manager, one); err != nil {
			return err
		}
	}
	return manager.Start(ctrl.SetupSignalHandler())
}
