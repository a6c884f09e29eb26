module serinus.dev/hack/tools/kubeconform

go 1.26.0

tool github.com/yannh/kubeconform/cmd/kubeconform
