package vfs

// networkName names the network file system that a Linux statfs magic stands
// for; empty for all others, local ones and unknown ones alike.
func networkName(magic uint32) string {
	switch magic {
	case 0x6969:
		return "NFS"
	case 0x517B:
		return "SMB"
	case 0xFF534D42:
		return "CIFS"
	case 0xFE534D42:
		return "SMB2"
	case 0x5346414F, 0x6B414653: // OpenAFS and the kernel's own client
		return "AFS"
	case 0x73757245:
		return "CODA"
	case 0x564C:
		return "NCP"
	}
	return ""
}
