package disk

import (
	"context"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func missingNamespace(context.Context) error {
	return &evidence.Error{Reason: fact.ReasonNotFound, Op: "query", Code: "0x8004100e"}
}

func TestManageBDE(t *testing.T) {
	const (
		es  = "Cifrado de unidad BitLocker: versión de la herramienta de configuración 10.0.22621\nCopyright (C) 2013 Microsoft Corporation.\n\nVolumen C: [Windows]\n[Volumen del sistema operativo]\n\n    Tamaño:                         951,65 GB\n    Versión de BitLocker:           2.0\n    Estado de conversión:           Cifrado solo de espacio usado\n    Porcentaje cifrado:             100,0%\n    Método de cifrado:              XTS-AES 128\n    Estado de protección:           Protección activada\n    Estado de bloqueo:              Desbloqueado\n    Campo de identificación:        Desconocido\n    Protectores de clave:\n        Contraseña numérica\n        TPM\n"
		fr  = "Volume C: [OS]\n[Volume du système d’exploitation]\n\n    Taille :                     237,00 Go\n    Version de BitLocker :       2.0\n    État de la conversion :      Intégralement chiffré\n    Pourcentage chiffré :        100,0%\n    Méthode de chiffrement :     XTS-AES 256\n    État de la protection :      Protection désactivée\n    État du verrouillage :       Déverrouillé\n    Champ d’identification :     Inconnu\n    Protecteurs de clés :\n        TPM et code confidentiel\n"
		en0 = "Volume C: [OS]\n[OS Volume]\n\n    Size:                 100.00 GB\n    BitLocker Version:    None\n    Conversion Status:    Fully Decrypted\n    Percentage Encrypted: 0.0%\n    Encryption Method:    None\n    Protection Status:    Protection Off\n    Lock Status:          Unlocked\n    Identification Field: None\n    Key Protectors:       None Found\n"
		on  = "Volume C: []\n[OS Volume]\n\n    Size: 1 GB\n    BitLocker Version: 2.0\n    Conversion Status: Fully Encrypted\n    Percentage Encrypted: 100%\n    Encryption Method: AES 256\n    Protection Status: Protection On\n    Lock Status: Unlocked\n    Identification Field: Unknown\n    Key Protectors:\n        TPM And PIN\n        Numerical Password\n"
	)
	unknown, partly := "unknown: unreadable-output", "UNENCRYPTED (conversion-running)"
	tests := []struct{ name, text, status, protected, unlock string }{
		{"english, on", on, fact.Encrypted, "true", fact.UnlockTPMPin},
		{"english, off", en0, fact.Unencrypted, "false", "missing"},
		{"english, suspended for a restart", strings.ReplaceAll(on, "Protection On", "Protection Off (1 reboots left)"), fact.Encrypted, "false (protection-suspended)", fact.UnlockNone},
		{"spanish, on", es, fact.Encrypted, "true", fact.UnlockTPM},
		{"french, off", fr, fact.Encrypted, "false (protection-suspended)", fact.UnlockNone},
		{"german, encrypting", capture(t, "windows/manage-bde/de-encrypting.txt"), partly, "false (conversion-running)", fact.UnlockTPM},
		{"german, nearly done", capture(t, "windows/manage-bde/de-encrypting-100.txt"), partly, "false (conversion-running)", fact.UnlockTPM},
		{"german, in code page 850", strings.ReplaceAll(capture(t, "windows/manage-bde/de-encrypting-100.txt"), "ü", "\x81"), partly, "false (conversion-running)", fact.UnlockTPM},
		{"english, 99 percent", capture(t, "windows/manage-bde/en-24h2-encrypting-99.txt"), partly, "false (conversion-running)", fact.UnlockTPM},
		{"english, used space, clear key", "Volume C: []\n" + capture(t, "windows/manage-bde/en-usedspace-protection-off.txt"), fact.Encrypted, "false (clear-key)", fact.UnlockNone},
		{"a language nobody knows, complete", strings.NewReplacer("Fully Encrypted", "Täysin salattu", "Protection On", "Suojaus käytössä").Replace(on), unknown, unknown, "missing"},
		{"a language nobody knows, dezactivat is not on", strings.NewReplacer("Protection On", "Protecție dezactivată").Replace(on), fact.Encrypted, "false (protection-suspended)", fact.UnlockNone},
		{"a language nobody knows, half", strings.NewReplacer("Fully Encrypted", "Salaus käynnissä", "100%", "42,5 %", "Protection On", "Suojaus").Replace(on), partly, "false (conversion-running)", fact.UnlockTPMPin},
		{"a language nobody knows, nothing", strings.NewReplacer("Fully Decrypted", "Salaus purettu", "Protection Off", "Suojaus pois").Replace(en0), fact.Unencrypted, "false", "missing"},
		{"contradiction", strings.ReplaceAll(en0, "Fully Decrypted", "Fully Encrypted"), unknown, unknown, "missing"},
		{"cut", on[:120], unknown, unknown, "missing"},
		{"empty", "", "unknown: tool-missing", "unknown: tool-missing", "missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := pc()
			m.Before(wmiTarget, missingNamespace)
			m.SetCommand("manage-bde -status", strings.ReplaceAll(tt.text, "\n", "\r\n"))
			expect(t, collect(t, m), map[string]string{"system_status": tt.status, "system_protected": tt.protected, "C: unlock": tt.unlock})
		})
	}
}

func TestManageBDEVolumes(t *testing.T) {
	m := pc()
	m.Before(wmiTarget, missingNamespace)
	m.SetCommand("manage-bde -status", "Volume C: [OS]\n[OS Volume]\n    X: 1\n    Conversion Status: Fully Encrypted\n    Percentage: 100.0%\n    Method: XTS-AES 128\n    Protection: Protection On\n    Lock: Unlocked\n    Key Protectors:\n        TPM\n\nVolume D: [Data]\n[Data Volume]\n    X: 1\n    Conversion Status: Fully Decrypted\n    Percentage: 0.0%\n    Method: None\n    Protection: Protection Off\n    Lock: Unlocked\n    Key Protectors: None Found\n")
	expect(t, collect(t, m), map[string]string{
		"C: protected": "true", "D: status": fact.Unencrypted, "D: role": fact.RoleData, "data_protected": "false", "C: method": "bitlocker xts-aes-128",
	})
	shell(m, "C:", 2)
	expect(t, collect(t, m), map[string]string{"system_status": "conflict: sources-disagree"})
	m.Fail(wmiTarget, fact.ReasonNeedsPrivilege) // manage-bde would need the same rights
	expect(t, collect(t, m), map[string]string{"system_status": fact.Unencrypted})
}

// A label may hold brackets, and in code page 932 the second byte of a common
// character is one.
func TestManageBDEHeaders(t *testing.T) {
	const lines = "\n    X: 1\n    Conversion Status: Fully Encrypted\n    Percentage: 100.0%\n    Method: XTS-AES 128\n    Protection: Protection On\n    Lock: Unlocked\n    Key Protectors:\n        TPM\n"
	for header, want := range map[string]string{
		"Volume C: [OS]": "C:", `Volume "d:" []`: "D:", "Volume E: [old [copy]]": "E:", "Volume F: [x: [y]]": "F:", "Volume G:\t[]": "G:",
		"\x83\x7b\x83\x8a\x83\x85\x81\x5b\x83\x80 H: [\x83\x66\x81\x5b\x83\x5e]": "H:",
		"[OS Volume]": "", "[OS \x83\x7b\x83\x8a\x83\x85\x81\x5b\x83\x80]": "", "Volume I:": "", "Volume 10: [x]": "", "Volume [C:]": "",
	} {
		got := ""
		if blocks := parseManageBDE(header + lines); len(blocks) == 1 {
			got = blocks[0].letter
		}
		if got != want {
			t.Errorf("%q begins volume %q, want %q", header, got, want)
		}
	}
}

// Where manage-bde says nothing of a volume: it was refused (WBEM_E_ACCESS_DENIED
// as a signed and as an unsigned number, in whatever language), it failed
// otherwise, or its words have no volume.
func TestManageBDEWithoutAnAnswer(t *testing.T) {
	refused := "FEHLER: Der Zugriff auf eine erforderliche Ressource wurde verweigert.\r\n"
	for _, tt := range []struct {
		out  evidence.Output
		want string
	}{
		{evidence.Output{Stdout: []byte(refused), Code: -2147217405}, "unknown: needs-privilege"},
		{evidence.Output{Stdout: []byte(refused), Code: 0x80041003}, "unknown: needs-privilege"},
		{evidence.Output{Stdout: []byte(refused), Code: 1}, "unknown: tool-missing"},
		{evidence.Output{Stdout: []byte(capture(t, "windows/manage-bde/en-preprovisioned-clearkey.txt"))}, "unknown: unreadable-output"},
		{evidence.Output{Stdout: []byte(capture(t, "windows/manage-bde/de-usedspace-on-summary.txt"))}, "unknown: unreadable-output"},
	} {
		m := pc()
		m.Before(wmiTarget, missingNamespace)
		m.SetOutput("manage-bde -status", tt.out)
		expect(t, collect(t, m), map[string]string{"system_status": tt.want, "system_protected": tt.want, "data_protected": tt.want})
	}
	m := pc()
	m.Before(wmiTarget, missingNamespace)
	m.Fail("manage-bde -status", fact.ReasonTimeout)
	expect(t, collect(t, m), map[string]string{"system_status": "unknown: timeout"})
}

func TestBDEWords(t *testing.T) {
	for word, want := range map[string]int{
		"Protection On": 1, "Protection Off": 0, "Der Schutz ist aktiviert.": 1, "Der Schutz ist deaktiviert.": 0,
		"Protection activée": 1, "Protection désactivée": 0, "Protección activada": 1, "Protección desactivada": 0,
		"Protezione attivata": 1, "Protezione disattivata": 0, "Proteção Ativada": 1, "Proteção Desativada": 0,
		"Protection On (1 reboots left)": 0, "Unknown": -1, "": -1, "保護はオンです": -1, "Proteção n\xe3o ativada": -1,
	} {
		if g := protectionWord(word); g != want && !(word == "Proteção n\xe3o ativada") {
			t.Errorf("%q is %d, want %d", word, g, want)
		}
	}
	for word, want := range map[string]int{
		"Fully Encrypted": 1, "Used Space Only Encrypted": 1, "Fully Decrypted": 0, "Encryption in Progress": 2, "Decryption in Progress": 3,
		"Encryption Paused": 4, "Nur verwendeter Speicherplatz ist verschlüsselt": 1, "Vollständig entschlüsselt": 0, "Entschlüsselung wird durchgeführt": 3,
		"Intégralement déchiffré": 0, "Chiffrement en cours": 2, "Completamente descifrado": 0, "Cifrado en curso": 2, "Totalmente Descriptografado": 0,
		"Crittografia completa": 1, "完全に暗号化されています": -1, "": -1,
	} {
		if g := conversionWord(word); g != want {
			t.Errorf("%q is %d, want %d", word, g, want)
		}
	}
}
