{{/*
The one place that says what a revocation Job is. Control creates this (deployment-control.yaml passes it on), the policy
job-template compares every Job and pod with it (vap-job-template.yaml), and `helm test` runs it (tests/revoker.yaml).
Everything the API server would fill in is declared, so that nothing is left to compare with a guess.
*/}}

{{/* Labels of the Job's pods. */}}
{{- define "rollcall.revokerLabels" -}}
{{- $ours := dict "app.kubernetes.io/name" "rollcall" "app.kubernetes.io/instance" .Release.Name "rollcall.dev/part" "revoke" -}}
{{- merge $ours (deepCopy .Values.revoker.podLabels) | toYaml -}}
{{- end -}}

{{/* The arguments, without `--check`, which only the empty Job has. */}}
{{- define "rollcall.revokerArgs" -}}
{{- list "revoke" "--namespace" .Release.Namespace "--instance" .Release.Name | toYaml -}}
{{- end -}}

{{/* Requests and limits as text. A limit without a request is also a request: the API server fills that in. */}}
{{- define "rollcall.revokerResources" -}}
{{- $limits := dict -}}
{{- range $name, $amount := .Values.revoker.resources.limits -}}{{- $_ := set $limits $name (toString $amount) -}}{{- end -}}
{{- $requests := deepCopy $limits -}}
{{- range $name, $amount := .Values.revoker.resources.requests -}}{{- $_ := set $requests $name (toString $amount) -}}{{- end -}}
{{- $all := dict -}}
{{- if $requests -}}{{- $_ := set $all "requests" $requests -}}{{- end -}}
{{- if $limits -}}{{- $_ := set $all "limits" $limits -}}{{- end -}}
{{- $all | toYaml -}}
{{- end -}}

{{/* The proxy variables of every pod. */}}
{{- define "rollcall.proxyEnv" -}}
{{- $env := list -}}
{{- range $name, $value := dict "HTTPS_PROXY" .Values.proxy.https "HTTP_PROXY" .Values.proxy.http "NO_PROXY" .Values.proxy.noProxy -}}
{{- if $value -}}{{- $env = append $env (dict "name" $name "value" $value) -}}{{- end -}}
{{- end -}}
{{- $env | toYaml -}}
{{- end -}}

{{/* The variables of what sends traces. Nothing waits for the Secret: without it there are no headers. */}}
{{- define "rollcall.tracingEnv" -}}
{{- $env := list -}}
{{- with .Values.tracing.endpoint -}}{{- $env = append $env (dict "name" "OTEL_EXPORTER_OTLP_ENDPOINT" "value" .) -}}{{- end -}}
{{- if and .Values.tracing.endpoint .Values.tracing.headers.secretName -}}
{{- $from := dict "name" .Values.tracing.headers.secretName "key" .Values.tracing.headers.key "optional" true -}}
{{- $env = append $env (dict "name" "OTEL_EXPORTER_OTLP_HEADERS" "valueFrom" (dict "secretKeyRef" $from)) -}}
{{- end -}}
{{- $env | toYaml -}}
{{- end -}}

{{/* Security context of a pod and of its container: the restricted pod security standard. */}}
{{- define "rollcall.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.runAsUser }}
runAsUser: {{ . | int64 }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}
{{- define "rollcall.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "rollcall.revokerPod" -}}
serviceAccountName: {{ .Release.Name }}-revoke
restartPolicy: Never
enableServiceLinks: false
dnsPolicy: ClusterFirst
schedulerName: {{ .Values.revoker.schedulerName }}
terminationGracePeriodSeconds: 30
securityContext:
  {{- include "rollcall.podSecurity" . | nindent 2 }}
{{- with .Values.revoker.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with include "rollcall.pullSecrets" . }}
imagePullSecrets:
  {{- . | nindent 2 }}
{{- end }}
{{- with .Values.revoker.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.revoker.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.revoker.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: revoke
    image: {{ include "rollcall.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args:
      {{- include "rollcall.revokerArgs" . | nindent 6 }}
    {{- with concat (include "rollcall.proxyEnv" . | fromYamlArray) (include "rollcall.tracingEnv" . | fromYamlArray) }}
    env:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    resources:
      {{- include "rollcall.revokerResources" . | nindent 6 }}
    securityContext:
      {{- include "rollcall.containerSecurity" . | nindent 6 }}
    terminationMessagePath: /dev/termination-log
    terminationMessagePolicy: File
{{- end -}}

{{/* The spec of the Job. */}}
{{- define "rollcall.revokerJob" -}}
completions: 1
parallelism: 1
backoffLimit: 0
activeDeadlineSeconds: 600
ttlSecondsAfterFinished: 600
template:
  metadata:
    labels:
      {{- include "rollcall.revokerLabels" . | nindent 6 }}
    {{- with .Values.revoker.podAnnotations }}
    annotations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    {{- include "rollcall.revokerPod" . | nindent 4 }}
{{- end -}}

{{/* A value as an expression of CEL. Each part is dyn, since CEL wants lists and maps of one type otherwise. */}}
{{- define "rollcall.cel" -}}
{{- if kindIs "map" . -}}
{{- $parts := list -}}
{{- range $key, $value := . -}}{{- $parts = append $parts (printf "%s: %s" (toJson $key) (include "rollcall.cel" $value)) -}}{{- end -}}
dyn({ {{- join ", " $parts -}} })
{{- else if kindIs "slice" . -}}
{{- $parts := list -}}
{{- range $value := . -}}{{- $parts = append $parts (include "rollcall.cel" $value) -}}{{- end -}}
dyn([ {{- join ", " $parts -}} ])
{{- else -}}
dyn({{ toJson . }})
{{- end -}}
{{- end -}}
