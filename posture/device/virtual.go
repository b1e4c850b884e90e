package device

import (
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// virtual says whether the machine is a virtual one. What the system itself
// notices counts; that it notices nothing does not: a hypervisor may hide. So
// "no" needs names that are those of a real machine as well, or the system's
// own word.
func virtual(r *evidence.Reading, d machine) {
	named, known := virtualName(d.vendor.text, d.model.text)
	switch {
	case d.guest.text == "true":
		r.From(d.guest.source)
		r.Observe("virtual", "", fact.Bool(true))
	case named:
		r.Observe("virtual", "", fact.Bool(true))
	case d.guest.text == "false" && d.system == evidence.MacOS, known && d.system != evidence.MacOS, known && realApple(d):
		if d.guest.text != "" {
			r.From(d.guest.source)
		}
		r.Observe("virtual", "", fact.Bool(false))
	default:
		r.Unknown("virtual", "", answer{why: d.guest.why}.or(answer{why: d.model.why}).orNotFound())
	}
}

func (a answer) orNotFound() fact.Reason {
	if a.why == "" {
		return fact.ReasonNotFound
	}
	return a.why
}

// realApple is true of Apple silicon that is not a guest: guests on it are
// always of model VirtualMac.
func realApple(d machine) bool {
	return strings.HasPrefix(d.chip, "Apple ") && !strings.Contains(strings.ToLower(d.chip), "virtual")
}

// virtualName tells from maker and model whether they are those of a virtual
// machine, and whether they say enough to tell.
func virtualName(vendor, model string) (virtual, known bool) {
	if placeholder(vendor) && placeholder(model) {
		return false, false
	}
	v, p := strings.ToLower(vendor), strings.ToLower(model)
	if strings.Contains(v, "amazon ec2") {
		return !strings.Contains(p, ".metal"), true
	}
	if v == "xen" {
		return true, true
	}
	if v == "microsoft corporation" {
		return strings.Contains(p, "virtual machine"), model != ""
	}
	for _, maker := range []string{
		"qemu", "vmware", "innotek", "bochs", "parallels", "openstack", "nutanix", "digitalocean", "ovirt",
		"alibaba cloud", "tencent cloud", "google compute", "cloud hypervisor", "cloud-hypervisor", "firecracker",
		"bhyve", "hetzner", "scaleway", "vultr", "linode", "upcloud", "exoscale",
	} {
		if strings.Contains(v, maker) {
			return true, true
		}
	}
	for _, product := range []string{
		"virtualbox", "kvm", "vmware", "virtual machine", "hvm domu", "standard pc", "bhyve", "virtualmac", "parallels",
		"apple virtualization", "google compute engine", "dummy-virt", "openstack", "vserver", "virtual platform", "qemu",
	} {
		if strings.Contains(p, product) {
			return true, true
		}
	}
	return false, model != "" && !placeholder(model)
}
