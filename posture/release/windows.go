package release

import "strings"

// Products of Windows, as the table and the fact os_version.product name them,
// and the product under which the table keeps all client releases.
const (
	Windows       = "windows"
	WindowsServer = "windows-server"
)

// firstBuild11 was the first build of Windows 11 (Microsoft, "Windows 11 release
// information"); its registry and its kernel still call themselves 10.
const firstBuild11 = 22000

// firstBuild10 was the first build of Windows 10 that was for everyone.
const firstBuild10 = 10240

// WindowsMarks is what a machine says of the kind of Windows it runs. What is
// not known is empty or 0.
type WindowsMarks struct {
	Installation string // InstallationType: Client, Server, Server Core, Nano Server
	Edition      string // EditionID: Professional, EnterpriseS, ServerStandard, …
	Name         string // ProductName
	Type         int    // ProductType of RTL_OSVERSIONINFOEX: 1 workstation, 2 domain controller, 3 server
}

// Line is the table's product for this kind of Windows: Windows or
// WindowsServer, or "" when the marks leave it open. Windows Enterprise
// multi-session (EditionID ServerRdsh) is a client with a server's product type.
func (m WindowsMarks) Line() string {
	edition := strings.ToLower(m.Edition)
	installation := strings.ToLower(m.Installation)
	switch {
	case edition == "serverrdsh":
		return Windows
	case strings.HasPrefix(installation, "server") || strings.HasPrefix(installation, "nano") || m.Type == 2 || m.Type == 3:
		return WindowsServer
	case installation == "client" || m.Type == 1:
		return Windows
	case strings.HasPrefix(edition, "server") || strings.Contains(strings.ToLower(m.Name), "server"):
		return WindowsServer
	case edition != "" || m.Name != "":
		return Windows
	}
	return ""
}

// Line is the product that a build of Windows is of when its marks leave it
// open, as far as the build alone tells.
func (t Table) Line(marks WindowsMarks, build string) string {
	line := marks.Line()
	if line == "" && t.Known(Windows, build) && !t.Known(WindowsServer, build) {
		return Windows
	}
	if line == "" && t.Known(WindowsServer, build) && !t.Known(Windows, build) {
		return WindowsServer
	}
	return line
}

// WindowsProduct is the name of the product with that line and build, or "".
func WindowsProduct(line string, build uint64) string {
	switch {
	case line != Windows:
		return line
	case build >= firstBuild11:
		return "windows-11"
	case build >= firstBuild10:
		return "windows-10"
	}
	return Windows
}

// WindowsVariants are the variants of the table that an edition is maintained
// as, best first, and whether the edition is known at all. Home and Pro end
// earlier than Enterprise and Education, the long-term editions later
// (Microsoft Lifecycle, "Windows 11 Home and Pro", "Windows 11 Enterprise and
// Education", "Windows 11 Enterprise LTSC 2024", "Windows 11 IoT Enterprise
// LTSC 2024").
func WindowsVariants(line, edition string) ([]string, bool) {
	e := strings.TrimSuffix(strings.ToLower(edition), "eval")
	if line == WindowsServer {
		if strings.HasSuffix(e, "acor") { // semi-annual channel: ServerDatacenterACor
			return []string{"sac"}, true
		}
		return []string{""}, e != ""
	}
	switch e {
	case "iotenterprises", "iotenterprisesk":
		return []string{"iot-lts", "e-lts"}, true
	case "enterprises", "enterprisesn":
		return []string{"e-lts"}, true
	case "enterprise", "enterprisen", "enterpriseg", "enterprisegn", "education", "educationn", "iotenterprise", "iotenterprisek", "serverrdsh":
		return []string{"e", ""}, true
	case "core", "coren", "coresinglelanguage", "corecountryspecific",
		"professional", "professionaln", "professionalsinglelanguage", "professionalcountryspecific",
		"professionalworkstation", "professionalworkstationn", "professionaleducation", "professionaleducationn",
		"cloud", "cloudn", "cloudedition", "cloudeditionn":
		return []string{"w", ""}, true
	}
	return nil, false
}
