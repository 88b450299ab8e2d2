package ntstatus

// Success and informational statuses: a request that ends in one of these has worked,
// // or goes on later (Pending), or tells what a break or a notification did.
const (
	Success                   Status = 0x00000000
	Abandoned                 Status = 0x00000080
	Timeout                   Status = 0x00000102
	Pending                   Status = 0x00000103
	Reparse                   Status = 0x00000104
	MoreEntries               Status = 0x00000105
	NotAllAssigned            Status = 0x00000106
	SomeNotMapped             Status = 0x00000107
	OplockBreakInProgress     Status = 0x00000108
	VolumeMounted             Status = 0x00000109
	NotifyCleanup             Status = 0x0000010B
	NotifyEnumDir             Status = 0x0000010C
	NoQuotasForAccount        Status = 0x0000010D
	BufferAllZeros            Status = 0x00000117
	ReparseObject             Status = 0x00000118
	TranslationComplete       Status = 0x00000120
	WaitForOplock             Status = 0x00000367
	ObjectNameExists          Status = 0x40000000
	LocalUserSessionKey       Status = 0x40000006
	OplockSwitchedToNewHandle Status = 0x00000215
	OplockHandleClosed        Status = 0x00000216
)

// Warnings: the reply still carries data ([MS-SMB2] 3.3.4.4 lists which of them
// // are answered with the command's own response instead of an ERROR response).
const (
	GuardPageViolation    Status = 0x80000001
	DatatypeMisalignment  Status = 0x80000002
	BufferOverflow        Status = 0x80000005
	NoMoreFiles           Status = 0x80000006
	HandlesClosed         Status = 0x8000000A
	PartialCopy           Status = 0x8000000D
	DeviceBusy            Status = 0x80000011
	InvalidEaName         Status = 0x80000013
	EaListInconsistent    Status = 0x80000014
	InvalidEaFlag         Status = 0x80000015
	NoMoreEntries         Status = 0x8000001A
	ExtraneousInformation Status = 0x80000017
	ServerHasOpenHandles  Status = 0x80000024
	StoppedOnSymlink      Status = 0x8000002D
)

// General failures: arguments, handles, resources.
const (
	Unsuccessful             Status = 0xC0000001
	NotImplemented           Status = 0xC0000002
	InvalidInfoClass         Status = 0xC0000003
	InfoLengthMismatch       Status = 0xC0000004
	AccessViolation          Status = 0xC0000005
	InvalidHandle            Status = 0xC0000008
	InvalidCid               Status = 0xC000000B
	InvalidParameter         Status = 0xC000000D
	NoSuchDevice             Status = 0xC000000E
	NoSuchFile               Status = 0xC000000F
	InvalidDeviceRequest     Status = 0xC0000010
	EndOfFile                Status = 0xC0000011
	WrongVolume              Status = 0xC0000012
	NoMediaInDevice          Status = 0xC0000013
	UnrecognizedMedia        Status = 0xC0000014
	NonexistentSector        Status = 0xC0000015
	MoreProcessingRequired   Status = 0xC0000016
	NoMemory                 Status = 0xC0000017
	InvalidLockSequence      Status = 0xC000001E
	AlreadyCommitted         Status = 0xC0000021
	AccessDenied             Status = 0xC0000022
	BufferTooSmall           Status = 0xC0000023
	ObjectTypeMismatch       Status = 0xC0000024
	InvalidSystemService     Status = 0xC000001C
	IllegalInstruction       Status = 0xC000001D
	InvalidParameterMix      Status = 0xC0000030
	InvalidParameter1        Status = 0xC00000EF
	InvalidParameter2        Status = 0xC00000F0
	InvalidParameter3        Status = 0xC00000F1
	InvalidParameter4        Status = 0xC00000F2
	InvalidParameter5        Status = 0xC00000F3
	InvalidQuotaLower        Status = 0xC0000031
	HandleNotClosable        Status = 0xC0000235
	InsufficientResources    Status = 0xC000009A
	InternalError            Status = 0xC00000E5
	InternalDbError          Status = 0xC0000158
	InternalDbCorruption     Status = 0xC00000E4
	NotSupported             Status = 0xC00000BB
	Cancelled                Status = 0xC0000120
	UnhandledException       Status = 0xC0000144
	InvalidLevel             Status = 0xC0000148
	InvalidBufferSize        Status = 0xC0000206
	InvalidUserBuffer        Status = 0xC00000E8
	DataError                Status = 0xC000003E
	CrcError                 Status = 0xC000003F
	ProcessIsTerminating     Status = 0xC000010A
	NotFound                 Status = 0xC0000225
	Retry                    Status = 0xC000022D
	NotSameDevice            Status = 0xC00000D4
	FileForcedClosed         Status = 0xC00000B6
	TooManyOpenedFiles       Status = 0xC000011F
	DataNotAccepted          Status = 0xC000021B
	InvalidSignature         Status = 0xC000A000
	HmacNotSupported         Status = 0xC000A001
	ServerUnavailable        Status = 0xC0000466
	FileNotAvailable         Status = 0xC0000467
	RequestNotAccepted       Status = 0xC00000D0
	TooManySessions          Status = 0xC00000CE
	InsuffServerResources    Status = 0xC0000205
	ShutdownInProgress       Status = 0xC00002FE
	ServerShutdownInProgress Status = 0xC00002FF
	TooManyCommands          Status = 0xC00000C1
	RequestAborted           Status = 0xC0000240
	TooManyLinks             Status = 0xC0000265
	TooManyContextIds        Status = 0xC000015A
	WorkingSetQuota          Status = 0xC00000A1
)

// Names, paths, links.
const (
	ObjectNameInvalid        Status = 0xC0000033
	ObjectNameNotFound       Status = 0xC0000034
	ObjectNameCollision      Status = 0xC0000035
	ObjectPathInvalid        Status = 0xC0000039
	ObjectPathNotFound       Status = 0xC000003A
	ObjectPathSyntaxBad      Status = 0xC000003B
	NameTooLong              Status = 0xC0000106
	FileIsADirectory         Status = 0xC00000BA
	NotADirectory            Status = 0xC0000103
	DirectoryNotEmpty        Status = 0xC0000101
	FileRenamed              Status = 0xC00000D5
	DirectoryIsAReparsePoint Status = 0xC0000281
	NotAReparsePoint         Status = 0xC0000275
	IoReparseTagInvalid      Status = 0xC0000276
	IoReparseTagMismatch     Status = 0xC0000277
	IoReparseDataInvalid     Status = 0xC0000278
	IoReparseTagNotHandled   Status = 0xC0000279
	ReparsePointNotResolved  Status = 0xC0000280
	ReparseAttributeConflict Status = 0xC00002B2
	ReparsePointEncountered  Status = 0xC000050B
	DfsExitPathFound         Status = 0xC000009B
	DfsUnavailable           Status = 0xC000026D
	PathNotCovered           Status = 0xC0000257
	ObjectidExists           Status = 0xC000022B
	ObjectidNotFound         Status = 0xC00002F0
	CaseDifferingNamesInDir  Status = 0xC00004B3
)

// Opening files: share modes, oplocks and leases, locks, deletion.
const (
	SharingViolation           Status = 0xC0000043
	DeletePending              Status = 0xC0000056
	CannotDelete               Status = 0xC0000121
	FileDeleted                Status = 0xC0000123
	FileClosed                 Status = 0xC0000128
	FileInvalid                Status = 0xC0000098
	UserMappedFile             Status = 0xC0000243
	FileLockConflict           Status = 0xC0000054
	LockNotGranted             Status = 0xC0000055
	RangeNotLocked             Status = 0xC000007E
	CannotBreakOplock          Status = 0xC0000909
	OplockNotGranted           Status = 0xC00000E2
	InvalidOplockProtocol      Status = 0xC00000E3
	PossibleDeadlock           Status = 0xC0000194
	DuplicateObjectid          Status = 0xC000022A
	InvalidLockRange           Status = 0xC00001A1
	IllegalCharacter           Status = 0xC0000161
	FileCheckedOut             Status = 0xC0000901
	CheckoutRequired           Status = 0xC0000902
	BadFileType                Status = 0xC0000903
	FileTooLarge               Status = 0xC0000904
	VirusInfected              Status = 0xC0000906
	VirusDeleted               Status = 0xC0000907
	CannotGrantRequestedOplock Status = 0x8000002E
)

// Data, extended attributes, quota, volumes, devices.
const (
	EaTooLarge                   Status = 0xC0000050
	NonexistentEaEntry           Status = 0xC0000051
	NoEasOnFile                  Status = 0xC0000052
	EaCorruptError               Status = 0xC0000053
	EasNotSupported              Status = 0xC000004F
	DiskFull                     Status = 0xC000007F
	QuotaExceeded                Status = 0xC0000044
	QuotaListInconsistent        Status = 0xC0000266
	FilesOpen                    Status = 0xC0000107
	MediaWriteProtected          Status = 0xC00000A2
	DeviceNotReady               Status = 0xC00000A3
	DeviceDataError              Status = 0xC000009C
	DeviceConfigurationError     Status = 0xC0000182
	DevicePowerFailure           Status = 0xC000009E
	DeviceDoesNotExist           Status = 0xC00000C0
	DeviceNotConnected           Status = 0xC000009D
	DeviceOffLine                Status = 0x80000010
	DeviceFeatureNotSupported    Status = 0xC0000463
	DeviceUnreachable            Status = 0xC0000464
	IoDeviceError                Status = 0xC0000185
	IoTimeout                    Status = 0xC00000B5
	FileCorruptError             Status = 0xC0000102
	DiskCorruptError             Status = 0xC0000032
	DiskOperationFailed          Status = 0xC000016A
	VolumeDismounted             Status = 0xC000026E
	VolumeNotUpgraded            Status = 0xC000029C
	UnrecognizedVolume           Status = 0xC000014F
	FtMissingMember              Status = 0xC000015F
	DriverInternalError          Status = 0xC0000183
	VerifyRequired               Status = 0x80000016
	EndOfMedia                   Status = 0x8000001E
	NoTrackingService            Status = 0xC000029F
	JournalNotActive             Status = 0xC00002B8
	JournalDeleteInProgress      Status = 0xC00002B7
	JournalEntryDeleted          Status = 0xC00002CF
	InvalidVolumeLabel           Status = 0xC0000086
	CompressionDisabled          Status = 0xC0000426
	CompressionNotBeneficial     Status = 0xC000046F
	OffloadReadFltNotSupported   Status = 0xC000A2A1
	OffloadWriteFltNotSupported  Status = 0xC000A2A2
	OffloadReadFileNotSupported  Status = 0xC000A2A3
	OffloadWriteFileNotSupported Status = 0xC000A2A4
	InvalidToken                 Status = 0xC0000465
	CorruptSystemFile            Status = 0xC00002C4
	EncryptionFailed             Status = 0xC000028A
	DecryptionFailed             Status = 0xC000028B
	FileEncrypted                Status = 0xC0000293
	FileNotEncrypted             Status = 0xC0000291
	InsufficientPower            Status = 0xC00002DE
	DataChecksumError            Status = 0xC0000470
	DiskQuotaExceeded            Status = 0xC0000802
	NoSuchDomain                 Status = 0xC00000DF
	DeviceProtocolError          Status = 0xC0000186
	BlockTooManyReferences       Status = 0xC000048C
	ValidateContinue             Status = 0xC0000271
)

// Shares, connections, sessions, names of servers.
const (
	BadNetworkName                   Status = 0xC00000CC
	BadNetworkPath                   Status = 0xC00000BE
	NetworkNameDeleted               Status = 0xC00000C9
	NetworkAccessDenied              Status = 0xC00000CA
	NetworkBusy                      Status = 0xC00000BF
	BadDeviceType                    Status = 0xC00000CB
	InvalidNetworkResponse           Status = 0xC00000C3
	UnexpectedNetworkError           Status = 0xC00000C4
	BadRemoteAdapter                 Status = 0xC00000C5
	NetworkSessionExpired            Status = 0xC000035C
	RequestOutOfSequence             Status = 0xC000042A
	UserSessionDeleted               Status = 0xC0000203
	ConnectionDisconnected           Status = 0xC000020C
	ConnectionReset                  Status = 0xC000020D
	ConnectionRefused                Status = 0xC0000236
	ConnectionAborted                Status = 0xC0000241
	ConnectionInvalid                Status = 0xC000023A
	ConnectionActive                 Status = 0xC000023B
	ConnectionInUse                  Status = 0xC0000108
	ConnectionCountLimit             Status = 0xC0000246
	GracefulDisconnect               Status = 0xC0000237
	AddressAlreadyExists             Status = 0xC000020A
	NetworkUnreachable               Status = 0xC000023C
	HostUnreachable                  Status = 0xC000023D
	PortUnreachable                  Status = 0xC000023F
	ProtocolUnreachable              Status = 0xC000023E
	ProtocolNotSupported             Status = 0xC000A013
	LinkFailed                       Status = 0xC000013E
	LinkTimeout                      Status = 0xC000013F
	LocalDisconnect                  Status = 0xC000013B
	RemoteDisconnect                 Status = 0xC000013C
	VirtualCircuitClosed             Status = 0xC00000D6
	InvalidAddress                   Status = 0xC0000141
	InvalidConnection                Status = 0xC0000140
	InvalidComputerName              Status = 0xC0000122
	DuplicateName                    Status = 0xC00000BD
	UnexpectedIoError                Status = 0xC00000E9
	RemoteNotListening               Status = 0xC00000BC
	RemoteResources                  Status = 0xC000013D
	NoSuchLogonSession               Status = 0xC000005F
	SmbNoPreauthIntegrityHashOverlap Status = 0xC05D0000
	SmbBadClusterDialect             Status = 0xC05D0001
	SmbGuestLogonBlocked             Status = 0xC05D0002
	UnsupportedCompression           Status = 0xC000025F
	RedirectorNotStarted             Status = 0xC00000FB
	RedirectorStarted                Status = 0xC00000FC
	TransportFull                    Status = 0xC00002CA
	PrintQueueFull                   Status = 0xC00000C6
	NoSpoolSpace                     Status = 0xC00000C7
	PrintCancelled                   Status = 0xC00000C8
	NetworkCredentialConflict        Status = 0xC0000195
	NotServerSession                 Status = 0xC0000216
	NotClientSession                 Status = 0xC0000217
	MembersPrimaryGroup              Status = 0xC0000127
)

// Named pipes.
const (
	InstanceNotAvailable Status = 0xC00000AB
	PipeNotAvailable     Status = 0xC00000AC
	InvalidPipeState     Status = 0xC00000AD
	PipeBusy             Status = 0xC00000AE
	IllegalFunction      Status = 0xC00000AF
	PipeDisconnected     Status = 0xC00000B0
	PipeClosing          Status = 0xC00000B1
	PipeConnected        Status = 0xC00000B2
	PipeListening        Status = 0xC00000B3
	InvalidReadMode      Status = 0xC00000B4
	PipeEmpty            Status = 0xC00000D9
	PipeBroken           Status = 0xC000014B
)

// Accounts, logon, security.
const (
	LogonFailure                   Status = 0xC000006D
	AccountRestriction             Status = 0xC000006E
	InvalidLogonHours              Status = 0xC000006F
	InvalidWorkstation             Status = 0xC0000070
	PasswordExpired                Status = 0xC0000071
	AccountDisabled                Status = 0xC0000072
	AccountLockedOut               Status = 0xC0000234
	AccountExpired                 Status = 0xC0000193
	PasswordMustChange             Status = 0xC0000224
	WrongPassword                  Status = 0xC000006A
	IllFormedPassword              Status = 0xC000006B
	PasswordRestriction            Status = 0xC000006C
	NoSuchUser                     Status = 0xC0000064
	UserExists                     Status = 0xC0000063
	NoSuchGroup                    Status = 0xC0000066
	GroupExists                    Status = 0xC0000065
	MemberInGroup                  Status = 0xC0000067
	MemberNotInGroup               Status = 0xC0000068
	LastAdmin                      Status = 0xC0000069
	NoLogonServers                 Status = 0xC000005E
	NoSuchPrivilege                Status = 0xC0000060
	PrivilegeNotHeld               Status = 0xC0000061
	InvalidAccountName             Status = 0xC0000062
	InvalidSid                     Status = 0xC0000078
	InvalidAcl                     Status = 0xC0000077
	InvalidSecurityDescr           Status = 0xC0000079
	InvalidOwner                   Status = 0xC000005A
	InvalidPrimaryGroup            Status = 0xC000005B
	NoneMapped                     Status = 0xC0000073
	BadInheritanceAcl              Status = 0xC000007D
	NoImpersonationToken           Status = 0xC000005C
	CantDisableMandatory           Status = 0xC000005D
	BadImpersonationLevel          Status = 0xC00000A5
	CantOpenAnonymous              Status = 0xC00000A6
	BadValidationClass             Status = 0xC00000A7
	BadTokenType                   Status = 0xC00000A8
	NoSecurityOnObject             Status = 0xC00000D7
	NoToken                        Status = 0xC000007C
	TokenAlreadyInUse              Status = 0xC000012B
	InvalidLogonType               Status = 0xC000010B
	LogonTypeNotGranted            Status = 0xC000015B
	LogonNotGranted                Status = 0xC0000155
	LogonSessionExists             Status = 0xC00000EE
	LogonServerConflict            Status = 0xC0000132
	TimeDifferenceAtDc             Status = 0xC0000133
	TrustedDomainFailure           Status = 0xC000018C
	TrustedRelationshipFailure     Status = 0xC000018D
	TrustFailure                   Status = 0xC0000190
	NoTrustSamAccount              Status = 0xC000018B
	NoTrustLsaSecret               Status = 0xC000018A
	NetlogonNotStarted             Status = 0xC0000192
	NtlmBlocked                    Status = 0xC0000418
	AuthenticationFirewallFailed   Status = 0xC0000413
	InvalidServerState             Status = 0xC00000DC
	InvalidDomainState             Status = 0xC00000DD
	InvalidDomainRole              Status = 0xC00000DE
	DomainControllerNotFound       Status = 0xC0000233
	CantAccessDomainInfo           Status = 0xC00000DA
	DomainExists                   Status = 0xC00000E0
	DomainLimitExceeded            Status = 0xC00000E1
	NologonWorkstationTrustAccount Status = 0xC0000199
	NologonServerTrustAccount      Status = 0xC000019A
	NologonInterdomainTrustAccount Status = 0xC0000198
	DomainTrustInconsistent        Status = 0xC000019B
	FsDriverRequired               Status = 0xC000019C
	NoPaData                       Status = 0xC00002F8
	WrongCredentialHandle          Status = 0xC00002F2
	DowngradeDetected              Status = 0xC0000388
	CryptoSystemInvalid            Status = 0xC00002F3
	MutualAuthenticationFailed     Status = 0xC00002C3
	SmartcardLogonRequired         Status = 0xC00002FA
	NoKerbKey                      Status = 0xC0000322
	MissingSystemfile              Status = 0xC0000143
)

// Witness, clusters, snapshots, other subsystems a share can show.
const (
	ClusterNodeDown        Status = 0xC013000C
	ClusterNodeUnreachable Status = 0xC013000D
	ClusterNodeNotFound    Status = 0xC0130004
	ClusterInvalidNetwork  Status = 0xC0130010
	TransactionNotActive   Status = 0xC0190003
	TransactionalConflict  Status = 0xC0190001
	RmNotActive            Status = 0xC0190005
	AlreadyDisconnected    Status = 0x80000025
)
