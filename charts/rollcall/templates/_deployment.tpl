{{/* One Deployment and its PodDisruptionBudget. Called with root, part, values and args; clients for what serves a network; files: volumes that it
reads, each with name, path and source. */}}
{{- define "rollcall.deployment" -}}
{{- $labels := merge (deepCopy .values.labels) .root.Values.labels -}}
{{- $annotations := merge (deepCopy .values.annotations) .root.Values.annotations -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .root.Release.Name }}-{{ .part }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "rollcall.labels" .root | nindent 4 }}
    rollcall.dev/part: {{ .part }}
    {{- with $labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  replicas: {{ .values.replicas }}
  selector:
    matchLabels:
      app.kubernetes.io/name: rollcall
      app.kubernetes.io/instance: {{ .root.Release.Name }}
      rollcall.dev/part: {{ .part }}
  template:
    metadata:
      labels:
        {{- include "rollcall.labels" .root | nindent 8 }}
        rollcall.dev/part: {{ .part }}
        {{- with $labels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ .root.Release.Name }}-{{ .part }}
      automountServiceAccountToken: true
      enableServiceLinks: false
      securityContext:
        {{- include "rollcall.podSecurity" .root | nindent 8 }}
      {{- with include "rollcall.pullSecrets" .root }}
      imagePullSecrets:
        {{- . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with merge (deepCopy .values.nodeSelector) .root.Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with concat .values.tolerations .root.Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.affinity | default .root.Values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              app.kubernetes.io/name: rollcall
              app.kubernetes.io/instance: {{ .root.Release.Name }}
              rollcall.dev/part: {{ .part }}
      containers:
        - name: {{ .part }}
          image: {{ include "rollcall.image" .root | quote }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args:
            {{- range .args }}
            - {{ . | quote }}
            {{- end }}
          env:
            - name: ROLLCALL_LOG
              value: {{ .root.Values.logLevel }}
            {{- $env := include "rollcall.proxyEnv" .root }}
            {{- if ne $env "[]" }}
            {{- $env | nindent 12 }}
            {{- end }}
            {{- with ternary (include "rollcall.tracingEnv" .root | fromYamlArray) list (has .part (list "sync" "control")) }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
            {{- with concat .values.extraEnv .root.Values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - name: http
              containerPort: 8080
            {{- if .clients }}
            - name: clients
              containerPort: 8443
            {{- end }}
          livenessProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 10
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 5
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          securityContext:
            {{- include "rollcall.containerSecurity" .root | nindent 12 }}
          {{- with .files }}
          volumeMounts:
            {{- range . }}
            - {name: {{ .name }}, mountPath: {{ .path }}, readOnly: true}
            {{- end }}
          {{- end }}
      {{- with .files }}
      volumes:
        {{- range . }}
        - name: {{ .name }}
          {{- toYaml .source | nindent 10 }}
        {{- end }}
      {{- end }}
{{- if .root.Values.podDisruptionBudget }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .root.Release.Name }}-{{ .part }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "rollcall.labels" .root | nindent 4 }}
spec:
  maxUnavailable: 1 # a single replica may still be drained
  selector:
    matchLabels:
      app.kubernetes.io/name: rollcall
      app.kubernetes.io/instance: {{ .root.Release.Name }}
      rollcall.dev/part: {{ .part }}
{{- end }}
{{- end -}}
