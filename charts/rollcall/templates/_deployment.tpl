{{/* One Deployment and its PodDisruptionBudget. Called with root, part, values and args. */}}
{{- define "rollcall.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .root.Release.Name }}-{{ .part }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "rollcall.labels" .root | nindent 4 }}
    rollcall.dev/part: {{ .part }}
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
    spec:
      serviceAccountName: {{ .root.Release.Name }}-{{ .part }}
      automountServiceAccountToken: true
      enableServiceLinks: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        seccompProfile:
          type: RuntimeDefault
      {{- with .root.Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with .root.Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.tolerations }}
      tolerations:
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
          ports:
            - name: http
              containerPort: 8080
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
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
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
