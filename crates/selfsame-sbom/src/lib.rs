//! CycloneDX 1.6 from what was locked joined with what is in the image.
