package smb2

import "fmt"

// Dialect is a dialect revision number ([MS-SMB2] 2.2.3).
type Dialect uint16

// Dialects, and the answer to a multi-protocol NEGOTIATE that goes on with another.
const (
	Dialect202      Dialect = 0x0202
	Dialect210      Dialect = 0x0210
	Dialect300      Dialect = 0x0300
	Dialect302      Dialect = 0x0302
	Dialect311      Dialect = 0x0311
	DialectWildcard Dialect = 0x02FF // [MS-SMB2] 3.3.5.3.1
)

// String is the usual spelling with dots.
func (d Dialect) String() string {
	switch d {
	case Dialect202:
		return "2.0.2"
	case Dialect210:
		return "2.1"
	case Dialect300:
		return "3.0"
	case Dialect302:
		return "3.0.2"
	case Dialect311:
		return "3.1.1"
	default:
		return fmt.Sprintf("0x%04X", uint16(d))
	}
}

// SecurityMode of NEGOTIATE ([MS-SMB2] 2.2.3). SESSION_SETUP carries its low byte.
type SecurityMode uint16

// Values of SecurityMode.
const (
	NegotiateSigningEnabled  SecurityMode = 0x0001
	NegotiateSigningRequired SecurityMode = 0x0002
)

// Capabilities of client or server ([MS-SMB2] 2.2.3, 2.2.4).
type Capabilities uint32

// Values of Capabilities.
const (
	GlobalCapDFS               Capabilities = 0x00000001
	GlobalCapLeasing           Capabilities = 0x00000002
	GlobalCapLargeMTU          Capabilities = 0x00000004
	GlobalCapMultiChannel      Capabilities = 0x00000008
	GlobalCapPersistentHandles Capabilities = 0x00000010
	GlobalCapDirectoryLeasing  Capabilities = 0x00000020
	GlobalCapEncryption        Capabilities = 0x00000040
	GlobalCapNotifications     Capabilities = 0x00000080
)

// SessionSetupFlagBinding asks to bind the connection to an existing session
// ([MS-SMB2] 2.2.5).
const SessionSetupFlagBinding uint8 = 0x01

// SessionFlags of the SESSION_SETUP response ([MS-SMB2] 2.2.6).
type SessionFlags uint16

// Values of SessionFlags.
const (
	SessionFlagIsGuest     SessionFlags = 0x0001
	SessionFlagIsNull      SessionFlags = 0x0002
	SessionFlagEncryptData SessionFlags = 0x0004
)

// TreeConnectFlags of the request, 3.1.1 only ([MS-SMB2] 2.2.9).
type TreeConnectFlags uint16

// Values of TreeConnectFlags.
const (
	TreeConnectFlagClusterReconnect TreeConnectFlags = 0x0001
	TreeConnectFlagRedirectToOwner  TreeConnectFlags = 0x0002
	TreeConnectFlagExtensionPresent TreeConnectFlags = 0x0004
)

// ShareType of the TREE_CONNECT response ([MS-SMB2] 2.2.10).
type ShareType uint8

// Values of ShareType.
const (
	ShareTypeDisk  ShareType = 0x01
	ShareTypePipe  ShareType = 0x02
	ShareTypePrint ShareType = 0x03
)

// ShareFlags of the TREE_CONNECT response ([MS-SMB2] 2.2.10).
type ShareFlags uint32

// Values of ShareFlags. The caching modes are a field of two bits.
const (
	ShareFlagManualCaching          ShareFlags = 0x00000000
	ShareFlagAutoCaching            ShareFlags = 0x00000010
	ShareFlagVDOCaching             ShareFlags = 0x00000020
	ShareFlagNoCaching              ShareFlags = 0x00000030
	ShareFlagCachingMask            ShareFlags = 0x00000030
	ShareFlagDFS                    ShareFlags = 0x00000001
	ShareFlagDFSRoot                ShareFlags = 0x00000002
	ShareFlagRestrictExclusiveOpens ShareFlags = 0x00000100
	ShareFlagForceSharedDelete      ShareFlags = 0x00000200
	ShareFlagAllowNamespaceCaching  ShareFlags = 0x00000400
	ShareFlagAccessBasedDirectory   ShareFlags = 0x00000800
	ShareFlagForceLevelIIOplock     ShareFlags = 0x00001000
	ShareFlagEnableHashV1           ShareFlags = 0x00002000
	ShareFlagEnableHashV2           ShareFlags = 0x00004000
	ShareFlagEncryptData            ShareFlags = 0x00008000
	ShareFlagIdentityRemoting       ShareFlags = 0x00040000
	ShareFlagCompressData           ShareFlags = 0x00100000
	ShareFlagIsolatedTransport      ShareFlags = 0x00200000
)

// ShareCapabilities of the TREE_CONNECT response ([MS-SMB2] 2.2.10).
type ShareCapabilities uint32

// Values of ShareCapabilities.
const (
	ShareCapDFS                    ShareCapabilities = 0x00000008
	ShareCapContinuousAvailability ShareCapabilities = 0x00000010
	ShareCapScaleout               ShareCapabilities = 0x00000020
	ShareCapCluster                ShareCapabilities = 0x00000040
	ShareCapAsymmetric             ShareCapabilities = 0x00000080
	ShareCapRedirectToOwner        ShareCapabilities = 0x00000100
)

// CloseFlagPostqueryAttrib asks CLOSE to return the attributes ([MS-SMB2] 2.2.15).
const CloseFlagPostqueryAttrib uint16 = 0x0001

// Flags of READ ([MS-SMB2] 2.2.19).
const (
	ReadFlagReadUnbuffered    uint8 = 0x01
	ReadFlagRequestCompressed uint8 = 0x02
)

// Flags of WRITE ([MS-SMB2] 2.2.21).
const (
	WriteFlagWriteThrough    uint32 = 0x00000001
	WriteFlagWriteUnbuffered uint32 = 0x00000002
)

// Values of Channel in READ and WRITE ([MS-SMB2] 2.2.19).
const (
	ChannelNone             uint32 = 0x00000000
	ChannelRDMAV1           uint32 = 0x00000001
	ChannelRDMAV1Invalidate uint32 = 0x00000002
	ChannelRDMATransform    uint32 = 0x00000003
)

// Flags of one LOCK element ([MS-SMB2] 2.2.26.1).
const (
	LockFlagSharedLock      uint32 = 0x00000001
	LockFlagExclusiveLock   uint32 = 0x00000002
	LockFlagUnlock          uint32 = 0x00000004
	LockFlagFailImmediately uint32 = 0x00000010
)

// IoctlIsFsctl is the only value of Flags in IOCTL that is served
// ([MS-SMB2] 2.2.31).
const IoctlIsFsctl uint32 = 0x00000001

// Flags of QUERY_DIRECTORY ([MS-SMB2] 2.2.33).
const (
	QueryDirectoryRestartScans      uint8 = 0x01
	QueryDirectoryReturnSingleEntry uint8 = 0x02
	QueryDirectoryIndexSpecified    uint8 = 0x04
	QueryDirectoryReopen            uint8 = 0x10
)

// ChangeNotifyWatchTree in Flags of CHANGE_NOTIFY ([MS-SMB2] 2.2.35).
const ChangeNotifyWatchTree uint16 = 0x0001

// CompletionFilter of CHANGE_NOTIFY ([MS-SMB2] 2.2.35).
type CompletionFilter uint32

// Values of CompletionFilter.
const (
	FileNotifyChangeFileName    CompletionFilter = 0x00000001
	FileNotifyChangeDirName     CompletionFilter = 0x00000002
	FileNotifyChangeAttributes  CompletionFilter = 0x00000004
	FileNotifyChangeSize        CompletionFilter = 0x00000008
	FileNotifyChangeLastWrite   CompletionFilter = 0x00000010
	FileNotifyChangeLastAccess  CompletionFilter = 0x00000020
	FileNotifyChangeCreation    CompletionFilter = 0x00000040
	FileNotifyChangeEa          CompletionFilter = 0x00000080
	FileNotifyChangeSecurity    CompletionFilter = 0x00000100
	FileNotifyChangeStreamName  CompletionFilter = 0x00000200
	FileNotifyChangeStreamSize  CompletionFilter = 0x00000400
	FileNotifyChangeStreamWrite CompletionFilter = 0x00000800
)

// InfoType of QUERY_INFO and SET_INFO ([MS-SMB2] 2.2.37).
type InfoType uint8

// Values of InfoType.
const (
	InfoFile       InfoType = 0x01
	InfoFilesystem InfoType = 0x02
	InfoSecurity   InfoType = 0x03
	InfoQuota      InfoType = 0x04
)

// SecurityInformation is AdditionalInformation of QUERY_INFO and SET_INFO with
// InfoSecurity ([MS-SMB2] 2.2.37).
type SecurityInformation uint32

// Values of SecurityInformation.
const (
	OwnerSecurityInformation     SecurityInformation = 0x00000001
	GroupSecurityInformation     SecurityInformation = 0x00000002
	DaclSecurityInformation      SecurityInformation = 0x00000004
	SaclSecurityInformation      SecurityInformation = 0x00000008
	LabelSecurityInformation     SecurityInformation = 0x00000010
	AttributeSecurityInformation SecurityInformation = 0x00000020
	ScopeSecurityInformation     SecurityInformation = 0x00000040
	BackupSecurityInformation    SecurityInformation = 0x00010000
)

// Flags of QUERY_INFO for extended attributes ([MS-SMB2] 2.2.37).
const (
	QueryInfoRestartScan       uint32 = 0x00000001
	QueryInfoReturnSingleEntry uint32 = 0x00000002
	QueryInfoIndexSpecified    uint32 = 0x00000004
)
