{{/* The identities are called after the release: R-sync, R-control and R-revoke; every cluster-scoped name begins with it. */}}

{{- define "rollcall.revokerNamespace" -}}
{{- $namespace := .Values.revoker.namespace | default (printf "%s-revoker" .Release.Namespace) -}}
{{- if eq $namespace .Release.Namespace -}}
{{- fail "revoker.namespace must not be the release's own namespace: a user who creates Jobs there would have the rights of every account in it" -}}
{{- end -}}
{{- $namespace -}}
{{- end -}}

{{/* The namespace of hooks: the users' own CronJobs and accounts, and none of Rollcall's. */}}
{{- define "rollcall.hooksNamespace" -}}
{{- $namespace := .Values.hooks.namespace | default (printf "%s-hooks" .Release.Namespace) -}}
{{- if or (eq $namespace .Release.Namespace) (eq $namespace (include "rollcall.revokerNamespace" .)) -}}
{{- fail "hooks.namespace must be none of Rollcall's own: a user who creates Jobs there would have the rights of every account in it" -}}
{{- end -}}
{{- $namespace -}}
{{- end -}}

{{/* The sandbox of the drill: the drill's own account, and what it makes. */}}
{{- define "rollcall.drillNamespace" -}}
{{- $namespace := .Values.drill.namespace | default (printf "%s-drill" .Release.Namespace) -}}
{{- if or (eq $namespace .Release.Namespace) (eq $namespace (include "rollcall.revokerNamespace" .)) (eq $namespace (include "rollcall.hooksNamespace" .)) -}}
{{- fail "drill.namespace must be none of Rollcall's others: a user who creates Jobs there would have the rights of every account in it" -}}
{{- end -}}
{{- $namespace -}}
{{- end -}}

{{- define "rollcall.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Names of pull secrets, as a pod wants them; nothing if there are none. */}}
{{- define "rollcall.pullSecrets" -}}
{{- range .Values.image.pullSecrets }}
- name: {{ . }}
{{- end }}
{{- end -}}

{{/* User names as the API server sees them. */}}
{{- define "rollcall.syncUser" -}}system:serviceaccount:{{ .Release.Namespace }}:{{ .Release.Name }}-sync{{- end -}}
{{- define "rollcall.grantUser" -}}system:serviceaccount:{{ .Release.Namespace }}:{{ .Release.Name }}-grant{{- end -}}
{{- define "rollcall.drillUser" -}}system:serviceaccount:{{ include "rollcall.drillNamespace" . }}:{{ .Release.Name }}-drill{{- end -}}
{{- define "rollcall.trimUser" -}}system:serviceaccount:{{ .Release.Namespace }}:{{ .Release.Name }}-trim{{- end -}}
{{- define "rollcall.scimUser" -}}system:serviceaccount:{{ .Release.Namespace }}:{{ .Release.Name }}-scim{{- end -}}
{{- define "rollcall.tellUser" -}}system:serviceaccount:{{ .Release.Namespace }}:{{ .Release.Name }}-tell{{- end -}}
{{- define "rollcall.controlUser" -}}system:serviceaccount:{{ .Release.Namespace }}:{{ .Release.Name }}-control{{- end -}}
{{- define "rollcall.revokeUser" -}}system:serviceaccount:{{ include "rollcall.revokerNamespace" . }}:{{ .Release.Name }}-revoke{{- end -}}

{{/* In the words of an admission policy: whether the caller has a verb of Rollcall's own on this object; by resource and verb. */}}
{{- define "rollcall.may" -}}
authorizer.group("rollcall.dev").resource({{ index . 0 | quote }}).namespace(request.namespace).name(object.metadata.name).check({{ index . 1 | quote }}).allowed()
{{- end -}}

{{- define "rollcall.labels" -}}
app.kubernetes.io/name: rollcall
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* What a policy matches: the named namespaces and nothing beyond, so that installations never meet. */}}
{{- define "rollcall.only" -}}
namespaceSelector:
  matchLabels:
    kubernetes.io/metadata.name: {{ . }}
{{- end -}}
