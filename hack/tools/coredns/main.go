// Command coredns is CoreDNS with the few plugins that a cluster on one machine needs.
package main

import (
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loop"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
)

// The order in which a query passes them: what isn't of the cluster is left to the template.
func init() {
	dnsserver.Directives = []string{
		"bind", "health", "ready", "errors", "loop", "cache", "kubernetes", "template",
	}
}

func main() { coremain.Run() }
