{{- define "serinus.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "serinus.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "serinus.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "serinus.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "serinus.selectorLabels" -}}
app.kubernetes.io/name: {{ include "serinus.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "serinus.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{ include "serinus.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: serinus
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* An image by its full name: list of the context, the value and where it stands. */ -}}
{{- define "serinus.image" -}}
{{- $root := index . 0 }}
{{- $image := index . 1 }}
{{- $host := splitList "/" $image | first }}
{{- if and (contains "/" $image) (or (contains "." $host) (contains ":" $host) (eq $host "localhost")) }}
{{- $image }}
{{- else if $root.Values.image.registry }}
{{- printf "%s/%s" (trimSuffix "/" $root.Values.image.registry) $image }}
{{- else }}
{{- fail (printf "%s: `%s` names no registry. Set image.registry to the one that has your images, such as registry.example.com/mlops, or give this image with its registry" (index . 2) $image) }}
{{- end }}
{{- end }}

{{- define "serinus.pullSecretNames" -}}
{{- range $index, $secret := .Values.imagePullSecrets }}{{ if $index }},{{ end }}{{ $secret.name }}{{ end }}
{{- end }}

{{- define "serinus.prometheus.installed" -}}
{{- if and .Values.prometheus.install (not .Values.prometheus.url) }}true{{ end }}
{{- end }}

{{- define "serinus.prometheus.url" -}}
{{- if .Values.prometheus.url }}
{{- .Values.prometheus.url }}
{{- else if .Values.prometheus.install }}
{{- printf "http://%s-prometheus.%s.svc:9090" (include "serinus.fullname" .) .Release.Namespace }}
{{- end }}
{{- end }}

{{- define "serinus.requestPolicy" -}}
{{- printf "%s-requests" (include "serinus.fullname" .) }}
{{- end }}

{{- define "serinus.notices" -}}
{{- $sinks := list }}
{{- range .Values.notices }}
{{- $sink := dict "name" .name "type" .type "urlFile" (printf "/etc/serinus/notices/%s/url" .name) }}
{{- with .actions }}{{ $_ := set $sink "actions" . }}{{ end }}
{{- with .namespaces }}{{ $_ := set $sink "namespaces" . }}{{ end }}
{{- $sinks = append $sinks $sink }}
{{- end }}
{{- toJson $sinks }}
{{- end }}

{{- define "serinus.hooks" -}}
{{- $hooks := list }}
{{- range .Values.hooks }}
{{- $folder := printf "/etc/serinus/hooks/%s" .name }}
{{- $hook := dict "name" .name "urlFile" (printf "%s/url" $folder) }}
{{- with .headersSecret }}{{ $_ := set $hook "headersFile" (printf "%s/headers" $folder) }}{{ end }}
{{- with .types }}{{ $_ := set $hook "types" . }}{{ end }}
{{- with .namespaces }}{{ $_ := set $hook "namespaces" . }}{{ end }}
{{- with .metadata }}{{ $_ := set $hook "metadata" . }}{{ end }}
{{- with .intervalSeconds }}{{ $_ := set $hook "intervalSeconds" . }}{{ end }}
{{- with .timeoutSeconds }}{{ $_ := set $hook "timeoutSeconds" . }}{{ end }}
{{- $hooks = append $hooks $hook }}
{{- end }}
{{- toJson $hooks }}
{{- end }}

{{- define "serinus.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "serinus.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "serinus.operatorRules" -}}
- apiGroups: [serinus.dev]
  resources: [featuresets, trainingjobs, modeldeployments]
  verbs: [get, list, watch]
- apiGroups: [serinus.dev]
  resources: [modelversions]
  verbs: [get, list, watch, create]
# What the admission policy asks for before a record of a decision is made.
- apiGroups: [serinus.dev]
  resources: [modeldeployments]
  verbs: [record]
- apiGroups: [serinus.dev]
  resources: [featuresets/status, trainingjobs/status, modelversions/status, modeldeployments/status]
  verbs: [update]
# Clusters that enforce rights on owner references ask for these.
- apiGroups: [serinus.dev]
  resources: [featuresets/finalizers, trainingjobs/finalizers, modelversions/finalizers, modeldeployments/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list, watch, create, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
# Never deleted: people's rules are in it, and it goes with its Deployment.
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch]
# Which class it is of, before it is told to mirror requests to a shadow.
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways]
  verbs: [get]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, create]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# Create only: the operator makes the key of prediction ids and can't read any Secret.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{- define "serinus.scrapeRules" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
{{- end }}

{{- define "serinus.prometheus.config" -}}
global:
  scrape_interval: {{ .Values.prometheus.scrapeInterval }}
  scrape_timeout: {{ .Values.prometheus.scrapeInterval }}
scrape_configs:
- job_name: serinus-model-servers
  kubernetes_sd_configs:
  - role: pod
    selectors:
    - {role: pod, label: "app.kubernetes.io/managed-by=serinus,serinus.dev/revision"}
    {{- with .Values.watchNamespaces }}
    namespaces: {names: {{ toJson . }}}
    {{- end }}
  relabel_configs:
  # A server that isn't ours says where its metrics are, or that it has none.
  - source_labels: [__meta_kubernetes_pod_annotation_serinus_dev_metrics_port, __meta_kubernetes_pod_container_port_name]
    regex: (|http);http|metrics;metrics
    action: keep
  - {source_labels: [__meta_kubernetes_pod_annotation_serinus_dev_metrics_path], regex: (.+), target_label: __metrics_path__}
  {{- include "serinus.prometheus.relabelling" . | nindent 2 }}
- job_name: serinus-operator
  # The operator tells of objects by their namespaces; without this they would be its own.
  honor_labels: true
  kubernetes_sd_configs:
  - role: pod
    selectors:
    - role: pod
      label: "app.kubernetes.io/name={{ include "serinus.name" . }},app.kubernetes.io/instance={{ .Release.Name }},app.kubernetes.io/component=operator"
    namespaces: {names: [{{ .Release.Namespace }}]}
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_container_port_name], regex: http, action: keep}
  {{- include "serinus.prometheus.relabelling" . | nindent 2 }}
{{- end }}

{{- define "serinus.prometheus.relabelling" -}}
- {source_labels: [__meta_kubernetes_pod_phase], regex: Running, action: keep}
- {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
- {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
{{- end }}
