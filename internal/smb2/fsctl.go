package smb2

import "fmt"

// FsctlCode is CtlCode of IOCTL ([MS-SMB2] 2.2.31, [MS-FSCC] 2.3).
type FsctlCode uint32

// Codes that clients send.
const (
	FsctlDfsGetReferrals           FsctlCode = 0x00060194
	FsctlDfsGetReferralsEx         FsctlCode = 0x000601B0
	FsctlRequestOplockLevel1       FsctlCode = 0x00090000
	FsctlLockVolume                FsctlCode = 0x00090018
	FsctlUnlockVolume              FsctlCode = 0x0009001C
	FsctlDismountVolume            FsctlCode = 0x00090020
	FsctlIsVolumeMounted           FsctlCode = 0x00090028
	FsctlIsPathnameValid           FsctlCode = 0x0009002C
	FsctlGetCompression            FsctlCode = 0x0009003C
	FsctlSetCompression            FsctlCode = 0x0009C040
	FsctlQueryFatBpb               FsctlCode = 0x00090058
	FsctlFilesystemGetStatistics   FsctlCode = 0x00090060
	FsctlGetNtfsVolumeData         FsctlCode = 0x00090064
	FsctlGetNtfsFileRecord         FsctlCode = 0x00090068
	FsctlGetVolumeBitmap           FsctlCode = 0x0009006F
	FsctlGetRetrievalPointers      FsctlCode = 0x00090073
	FsctlIsVolumeDirty             FsctlCode = 0x00090078
	FsctlFindFilesBySid            FsctlCode = 0x0009008F
	FsctlSetObjectID               FsctlCode = 0x00090098
	FsctlGetObjectID               FsctlCode = 0x0009009C
	FsctlDeleteObjectID            FsctlCode = 0x000900A0
	FsctlSetReparsePoint           FsctlCode = 0x000900A4
	FsctlGetReparsePoint           FsctlCode = 0x000900A8
	FsctlDeleteReparsePoint        FsctlCode = 0x000900AC
	FsctlEnumUsnData               FsctlCode = 0x000900B3
	FsctlSecurityIDCheck           FsctlCode = 0x000900B7
	FsctlReadUsnJournal            FsctlCode = 0x000900BB
	FsctlSetObjectIDExtended       FsctlCode = 0x000900BC
	FsctlCreateOrGetObjectID       FsctlCode = 0x000900C0
	FsctlSetSparse                 FsctlCode = 0x000900C4
	FsctlSetZeroData               FsctlCode = 0x000980C8
	FsctlQueryAllocatedRanges      FsctlCode = 0x000940CF
	FsctlSetEncryption             FsctlCode = 0x000900D7
	FsctlReadFileUsnData           FsctlCode = 0x000900EB
	FsctlWriteUsnCloseRecord       FsctlCode = 0x000900EF
	FsctlQueryUsnJournal           FsctlCode = 0x000900F4
	FsctlSisCopyfile               FsctlCode = 0x00090100
	FsctlRecallFile                FsctlCode = 0x00090117
	FsctlQuerySparingInfo          FsctlCode = 0x00090138
	FsctlSetZeroOnDealloc          FsctlCode = 0x00090194
	FsctlSetShortNameBehavior      FsctlCode = 0x000901B4
	FsctlQueryOnDiskVolumeInfo     FsctlCode = 0x0009013C
	FsctlSetDefectManagement       FsctlCode = 0x00098134
	FsctlFileLevelTrim             FsctlCode = 0x00098208
	FsctlOffloadRead               FsctlCode = 0x00094264
	FsctlOffloadWrite              FsctlCode = 0x00098268
	FsctlGetIntegrityInformation   FsctlCode = 0x0009027C
	FsctlSetIntegrityInformation   FsctlCode = 0x0009C280
	FsctlQueryFileRegions          FsctlCode = 0x00090284
	FsctlRefsStreamSnapshotMgmt    FsctlCode = 0x00090440
	FsctlDuplicateExtentsToFile    FsctlCode = 0x00098344
	FsctlDuplicateExtentsToFileEx  FsctlCode = 0x000983E8
	FsctlSetIntegrityInformationEx FsctlCode = 0x00090380
	FsctlPipeWait                  FsctlCode = 0x00110018
	FsctlPipePeek                  FsctlCode = 0x0011400C
	FsctlPipeTransceive            FsctlCode = 0x0011C017
	FsctlLmrSetLinkTracking        FsctlCode = 0x001400EC
	FsctlQueryNetworkInterfaceInfo FsctlCode = 0x001401FC
	FsctlValidateNegotiateInfo     FsctlCode = 0x00140204
	FsctlLmrRequestResiliency      FsctlCode = 0x001401D4
	FsctlLmrGetLinkTracking        FsctlCode = 0x001400E8
	FsctlSrvEnumerateSnapshots     FsctlCode = 0x00144064
	FsctlSrvRequestResumeKey       FsctlCode = 0x00140078
	FsctlSrvCopychunk              FsctlCode = 0x001440F2
	FsctlSrvCopychunkWrite         FsctlCode = 0x001480F2
	FsctlSrvReadHash               FsctlCode = 0x001441BB
	FsctlSvhdxSyncTunnelRequest    FsctlCode = 0x00090304
	FsctlSvhdxAsyncTunnelRequest   FsctlCode = 0x00090364
	FsctlQuerySharedVirtualDisk    FsctlCode = 0x00090300
	FsctlStorageQosControl         FsctlCode = 0x00090350
)

// String is the number, by which documentation is searched.
func (c FsctlCode) String() string { return fmt.Sprintf("0x%08X", uint32(c)) }
