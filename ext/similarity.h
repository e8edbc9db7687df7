/* The similarity transform that aligns a face's landmarks with the template. */
#ifndef FERSERVE_SIMILARITY_H
#define FERSERVE_SIMILARITY_H

#include "image.h"
#include <math.h>

/* Positions of left eye, right eye, nose, left and right corner of the mouth in an aligned face, left as the
 * viewer sees it, as fractions of the face's side: the template of ArcFace (Deng et al. 2019, arXiv:1801.07698; code of
 * InsightFace), 112 px. */
static const double FS_TEMPLATE[5][2] = {
    {38.2946 / 112, 51.6963 / 112}, {73.5318 / 112, 51.5014 / 112}, {56.0252 / 112, 71.7366 / 112},
    {41.5493 / 112, 92.3655 / 112}, {70.7299 / 112, 92.2041 / 112},
};

/* Least squares fit of a similarity from the first `count` landmarks to the template (Umeyama 1991, section III, in
 * its two-dimensional form: one complex factor), inverted. Writes the geometry; returns 0 if the landmarks define
 * no similarity (not finite, or all in one point). */
static inline int fs_align(const double (*landmarks)[2], int count, const FsTarget *target, double margin,
                           FsGeometry *geometry) {
    const double side = target->width < target->height ? target->width : target->height;
    const double shrink = side / (1.0 + 2.0 * margin);
    double source[2] = {0, 0}, wanted[2] = {0, 0};
    for (int i = 0; i < count; i++)
        for (int d = 0; d < 2; d++) {
            const double middle = d == 0 ? 0.5 * target->width : 0.5 * target->height;
            source[d] += landmarks[i][d] / count;
            wanted[d] += ((FS_TEMPLATE[i][d] - 0.5) * shrink + middle) / count;
        }
    double power = 0, real = 0, imaginary = 0;
    for (int i = 0; i < count; i++) {
        const double sx = landmarks[i][0] - source[0], sy = landmarks[i][1] - source[1];
        const double tx = (FS_TEMPLATE[i][0] - 0.5) * shrink + 0.5 * target->width - wanted[0];
        const double ty = (FS_TEMPLATE[i][1] - 0.5) * shrink + 0.5 * target->height - wanted[1];
        power += sx * sx + sy * sy;
        real += sx * tx + sy * ty;
        imaginary += sx * ty - sy * tx;
    }
    const double norm = real * real + imaginary * imaginary;
    if (!(power > 1e-6) || !(norm > 1e-9 * power) || !isfinite(power) || !isfinite(norm))
        return 0;
    geometry->dx = power * real / norm;
    geometry->dy = -power * imaginary / norm;
    geometry->x0 = source[0] - (geometry->dx * wanted[0] - geometry->dy * wanted[1]);
    geometry->y0 = source[1] - (geometry->dy * wanted[0] + geometry->dx * wanted[1]);
    geometry->rotated = 1;
    return 1;
}

#endif
