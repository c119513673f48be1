{{- define "realm.name" -}}
{{- if contains .Chart.Name .Release.Name -}}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "realm.selector" -}}
app.kubernetes.io/name: realm
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "realm.labels" -}}
{{ include "realm.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "realm.postgres" -}}
{{- if regexMatch "^postgres(ql)?://" (default "" .Values.config.server.store) -}}yes{{- end -}}
{{- end -}}

{{- define "realm.several" -}}
{{- if or (gt (int .Values.replicas) 1) (and .Values.keda.enabled (gt (int .Values.keda.maxReplicas) 1)) -}}yes{{- end -}}
{{- end -}}

{{- define "realm.check" -}}
{{- if and (include "realm.several" .) (not (include "realm.postgres" .)) -}}
{{- fail "several replicas need one store: set config.server.store to postgres://..." -}}
{{- end -}}
{{- $limits := .Values.config.server.limits -}}
{{- $stop := add (default 0 $limits.lame_duck_ms) (default 10000 $limits.drain_ms) -}}
{{- if le (mul 1000 (int .Values.terminationGracePeriodSeconds)) $stop -}}
{{- fail "terminationGracePeriodSeconds must be longer than lame_duck_ms and drain_ms together" -}}
{{- end -}}
{{- end -}}
