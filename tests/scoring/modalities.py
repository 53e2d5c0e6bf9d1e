"""The image objects of the set, by modality: each is complete by its IOD (PS3.3 Annex A), as `dciodvfy` is asked to confirm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.scoring.answers import Sheet
from tests.scoring.headers import Series, code
from tests.scoring.pictures import anatomy, burn, digest, pattern

#: Text is drawn into the upper edge; of a frame with text, the anatomy below it must stay.
TEXT_AT, TEXT_SIZE = (4, 3), 16


def _grey(sheet: Sheet, side: int, bits: int, seed: int, text: str, *, signed: bool = False, frames: int = 1) -> None:
    """One-channel frames of `side` × `side` with `bits` stored, and what must become of them."""
    top = 2**bits - 1
    allocated = 8 if bits <= 8 else 16
    sheet.keep(
        SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", Rows=side, Columns=side, BitsAllocated=allocated, BitsStored=bits,
        HighBit=bits - 1, PixelRepresentation=int(signed),
    )  # fmt: skip
    made = [anatomy(side, side, 0, top // 2 if signed else top, seed + number) for number in range(frames)]
    _judge(sheet, made, text, top // 2 if signed else top)
    kind = ("<i" if signed else "<u") + str(allocated // 8)
    sheet.dataset.PixelData = b"".join(np.clip(frame, 0, None).astype(kind).tobytes() for frame in made).ljust(2, b"\0")
    sheet.dataset["PixelData"].VR = "OW" if allocated == 16 else "OB"


def _judge(sheet: Sheet, frames: list[np.ndarray], text: str, white: int) -> None:
    for number, frame in enumerate(frames):
        np.clip(frame, 0, None, out=frame)
        rows, columns = frame.shape[:2]
        box = (0, 0, columns, rows)
        if text:
            glyphs = burn(frame, text, *TEXT_AT, size=TEXT_SIZE, value=white)
            sheet.pixels(
                "pixels hidden", f"{number}:{TEXT_AT[0]},{TEXT_AT[1]},{glyphs[-1].box[2]},{glyphs[-1].box[3]}", pattern(glyphs)
            )
            box = (columns // 8, rows * 3 // 8, columns * 7 // 8, rows * 7 // 8)
        sheet.pixels("pixels retained", f"{number}:{','.join(map(str, box))}", digest(frame, box))


def _colour(sheet: Sheet, side: int, seed: int, text: str) -> None:
    grey = anatomy(side, side, 0, 255, seed)
    frame = np.clip(np.stack([grey, grey * 9 // 10, grey * 8 // 10], axis=-1), 0, 255)
    sheet.keep(
        SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, Rows=side, Columns=side, BitsAllocated=8, BitsStored=8,
        HighBit=7, PixelRepresentation=0,
    )  # fmt: skip
    _judge(sheet, [frame], text, 255)
    sheet.dataset.PixelData = frame.astype("u1").tobytes()
    sheet.dataset["PixelData"].VR = "OB"


def _plane(sheet: Sheet, series: Series, number: int, thickness: str) -> None:
    """Frame of Reference and Image Plane; a reference to the series' first slice."""
    sheet.uid("FrameOfReferenceUID", series.visit.uid(0, 1))
    sheet.present("PositionReferenceIndicator")
    sheet.plain(PositionReferenceIndicator="SN")
    sheet.keep(
        ImagePositionPatient=["-60.5", "-60.5", str(float(thickness) * number)], ImageOrientationPatient=["1", "0", "0", "0", "1", "0"],
        PixelSpacing=["0.8125", "0.8125"], SliceThickness=thickness, SliceLocation=str(float(thickness) * number),
    )  # fmt: skip
    if series.modality != "PT":  # there the orientation is coded
        sheet.keep(PatientPosition="HFS")
    if number > 1:
        other = sheet.item("ReferencedImageSequence")
        other.keep(ReferencedSOPClassUID=series.sop_class)
        other.uid("ReferencedSOPInstanceUID", series.visit.uid(series.number, 1))


def _moments(sheet: Sheet, series: Series) -> None:
    visit = series.visit
    sheet.when(AcquisitionDate=visit.date, AcquisitionTime=visit.time, ContentDate=visit.date, ContentTime=visit.time)
    sheet.keep(ImageType=list(series.image_type), AcquisitionNumber="1")
    sheet.gone("ImageComments", f"{visit.person.spoken} on {visit.spoken_date}", visit.person.family, visit.spoken_date)


def _protocol(sheet: Sheet, series: Series) -> None:
    who = series.visit.person
    sheet.described("ProtocolName", f"{series.words} Dr. {who.referrer.split('^')[0]}", series.words, who.referrer.split("^")[0])


def ct(sheet: Sheet, series: Series, number: int, seed: int, text: str) -> None:
    """CT Image (PS3.3 A.3)."""
    _moments(sheet, series)
    _protocol(sheet, series)
    _plane(sheet, series, number, "2.5")
    sheet.keep(
        KVP="120", ExposureTime="500", XRayTubeCurrent="210", Exposure="105", ConvolutionKernel="B31f", GantryDetectorTilt="0",
        TableHeight="151.5", RotationDirection="CW", DataCollectionDiameter="500", ReconstructionDiameter="390", FocalSpots="1.2",
        GeneratorPower="25", CTDIvol=7.25, SpiralPitchFactor=0.9, RescaleIntercept="-1024", RescaleSlope="1", RescaleType="HU",
        WindowCenter="40", WindowWidth="400",
    )  # fmt: skip
    sheet.described("ContrastBolusAgent", f"IODINE {series.visit.person.family}", "IODINE", series.visit.person.family)
    sheet.uid("IrradiationEventUID", series.visit.uid(series.number, 0, 9), stays=False)
    _grey(sheet, 128, 12, seed, text)


def mr(sheet: Sheet, series: Series, number: int, seed: int, text: str) -> None:
    """MR Image (PS3.3 A.4), with a b-value in the standard's attribute and in the vendor's safe private one (PS3.15 E.3.10)."""
    _moments(sheet, series)
    _protocol(sheet, series)
    _plane(sheet, series, number, "4")
    b_value = 50 * number
    sheet.keep(
        ScanningSequence="EP", SequenceVariant="SK", ScanOptions="FS", MRAcquisitionType="2D", RepetitionTime="5100", EchoTime="61",
        EchoTrainLength="43", MagneticFieldStrength="3", ImagingFrequency="123.25", ImagedNucleus="1H", EchoNumbers="1",
        NumberOfAverages="2", PixelBandwidth="1500", FlipAngle="90", SAR="0.5", PercentSampling="100", PercentPhaseFieldOfView="84.375",
        NumberOfPhaseEncodingSteps="108", SpacingBetweenSlices="4.4", DiffusionBValue=float(b_value),
    )  # fmt: skip
    sheet.private(0x0019, "SIEMENS MR HEADER", 0x0C, "IS", str(b_value), safe=True)
    _grey(sheet, 128, 12, seed, text)


def pt(sheet: Sheet, series: Series, number: int, seed: int, text: str) -> None:
    """Positron Emission Tomography Image (PS3.3 A.21), with the inputs of SUV that Safe Harbor leaves."""
    visit = series.visit
    _moments(sheet, series)
    _protocol(sheet, series)
    _plane(sheet, series, number, "3")
    sheet.present("SeriesDate", "SeriesTime")
    sheet.keep(
        Units="BQML", CountsSource="EMISSION", SeriesType=["STATIC", "IMAGE"], NumberOfSlices=5, CorrectedImage=["DECY", "ATTN", "SCAT"],
        DecayCorrection="START", CollimatorType="NONE", RandomsCorrectionMethod="DLYD", ReconstructionMethod="OSEM",
        FrameReferenceTime="1500", ActualFrameDuration="180000", DecayFactor="1.014", DoseCalibrationFactor="1", ImageIndex=number,
        RescaleIntercept="0", RescaleSlope="1.75",
    )  # fmt: skip
    tracer = sheet.item("RadiopharmaceuticalInformationSequence")
    tracer.keep(RadionuclideTotalDose="310000000", RadionuclideHalfLife="6586.2", RadionuclidePositronFraction="0.967")
    tracer.when(RadiopharmaceuticalStartTime="081523", RadiopharmaceuticalStartDateTime=f"{visit.date}081523")
    code(tracer, "RadionuclideCodeSequence", "C-111A1", "SRT", "^18^Fluorine")
    orientation = code(sheet, "PatientOrientationCodeSequence", "102538003", "SCT", "recumbent")
    code(orientation, "PatientOrientationModifierCodeSequence", "40199007", "SCT", "supine")
    code(sheet, "PatientGantryRelationshipCodeSequence", "102540008", "SCT", "headfirst")
    sheet.private(0x7053, "Philips PET Private Group", 0x00, "DS", "0.000413", safe=True)
    _grey(sheet, 128, 16, seed, text, signed=True)


def cr(sheet: Sheet, series: Series, number: int, seed: int, text: str) -> None:
    """Computed Radiography Image (PS3.3 A.2)."""
    _moments(sheet, series)
    sheet.keep(KVP="117", ViewPosition="PA", ImagerPixelSpacing=["0.171", "0.171"], Sensitivity="200", ExposureTime="4")
    sheet.gone("PlateID", series.visit.person.serial)
    sheet.plain(PatientOrientation=["L", "F"])
    _grey(sheet, 320, 12, seed, text)


def _projection(sheet: Sheet, series: Series) -> None:
    """What DX and MG share (DX Image, DX Detector, DX Positioning, X-Ray attributes)."""
    _moments(sheet, series)
    sheet.keep(
        PresentationIntentType="FOR PRESENTATION", PatientOrientation=["L", "F"], PixelIntensityRelationship="LOG",
        PixelIntensityRelationshipSign=-1, RescaleIntercept="0", RescaleSlope="1", RescaleType="US", PresentationLUTShape="IDENTITY",
        LossyImageCompression="00", DetectorType="DIRECT", ImagerPixelSpacing=["0.14", "0.14"], WindowCenter="2048", WindowWidth="4096",
        KVP="70", ExposureTime="20", XRayTubeCurrent="320",
    )  # fmt: skip
    sheet.plain(BurnedInAnnotation="NO")
    sheet.gone("DetectorID", series.visit.person.serial)
    context = sheet.item("AcquisitionContextSequence")
    context.plain(ValueType="TEXT", TextValue=series.visit.person.spoken)
    name = context.item("ConceptNameCodeSequence")
    name.plain(CodeValue="109054", CodingSchemeDesignator="DCM", CodeMeaning="Patient State")
    context.planted.update((series.visit.person.family, series.visit.person.given))


def dx(sheet: Sheet, series: Series, number: int, seed: int, text: str) -> None:
    """Digital X-Ray Image, for presentation (PS3.3 A.26)."""
    _projection(sheet, series)
    sheet.keep(ImageLaterality="U", ViewPosition="PA", PositionerType="NONE")
    code(sheet, "AnatomicRegionSequence", "51185008", "SCT", "Chest")
    code(sheet, "ViewCodeSequence", "399348003", "SCT", "postero-anterior")
    _grey(sheet, 320, 12, seed, text)


def mg(sheet: Sheet, series: Series, number: int, seed: int, text: str) -> None:
    """Digital Mammography X-Ray Image, for presentation (PS3.3 A.27)."""
    _projection(sheet, series)
    side = "LR"[number % 2]
    sheet.keep(
        ImageLaterality=side, ViewPosition="CC", PositionerType="MAMMOGRAPHIC", OrganExposed="BREAST", BreastImplantPresent="NO",
        PositionerPrimaryAngle="0", CompressionForce="90", BodyPartThickness="55",
    )  # fmt: skip
    code(sheet, "AnatomicRegionSequence", "76752008", "SCT", "Breast")
    view = code(sheet, "ViewCodeSequence", "399162004", "SCT", "cranio-caudal")
    view.plain(ViewModifierCodeSequence=[])
    _grey(sheet, 320, 12, seed, text)


def us(sheet: Sheet, series: Series, number: int, seed: int, text: str) -> None:
    """Ultrasound Image (PS3.3 A.6): in colour, the region calibrated, the console's text outside of it."""
    _moments(sheet, series)
    region = sheet.item("SequenceOfUltrasoundRegions")
    region.keep(
        RegionSpatialFormat=1, RegionDataType=1, RegionFlags=0, RegionLocationMinX0=20, RegionLocationMinY0=60, RegionLocationMaxX1=299,
        RegionLocationMaxY1=299, PhysicalUnitsXDirection=3, PhysicalUnitsYDirection=3, PhysicalDeltaX=0.03, PhysicalDeltaY=0.03,
    )  # fmt: skip
    sheet.keep(LossyImageCompression="00")
    sheet.plain(PatientOrientation=[])
    _colour(sheet, 320, seed, text)


def sc(sheet: Sheet, series: Series, number: int, seed: int, text: str) -> None:
    """Secondary Capture Image (PS3.3 A.8)."""
    _moments(sheet, series)
    sheet.keep(ConversionType="WSD")
    sheet.plain(PatientOrientation=[])
    sheet.when(DateOfSecondaryCapture=series.visit.date, TimeOfSecondaryCapture=series.visit.time)
    _colour(sheet, 320, seed, text)


def xa(sheet: Sheet, series: Series, number: int, seed: int, text: str) -> None:
    """X-Ray Angiographic Image (PS3.3 A.14), three frames."""
    _moments(sheet, series)
    sheet.keep(
        PixelIntensityRelationship="LIN", RadiationSetting="GR", KVP="80", XRayTubeCurrent="400", ExposureTime="8", NumberOfFrames="3",
        PositionerMotion="STATIC", PositionerPrimaryAngle="30", PositionerSecondaryAngle="0", DistanceSourceToDetector="1020",
        ImagerPixelSpacing=["0.2", "0.2"], FrameTime="66.7", LossyImageCompression="00",
    )  # fmt: skip
    sheet.plain(FrameIncrementPointer=0x00181063, PatientOrientation=[], TableMotion="STATIC")
    _grey(sheet, 320, 8, seed, text, frames=3)


Fill = Callable[[Sheet, Series, int, int, str], None]
FILLS: dict[str, Fill] = {"CT": ct, "MR": mr, "PT": pt, "CR": cr, "DX": dx, "MG": mg, "US": us, "SC": sc, "XA": xa}
