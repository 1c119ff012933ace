// Reads the mask of one object in a picture: the rule of bpr/io/shown_object.py for what a canvas sees, 8 bits of colour.
"use strict";

(function (web) {
  const NEAR = 24; // colours that differ by at most this much in every channel count as equal
  const VARIES = 32; // the smallest difference at which transparency varies
  const SLOPE = 0.1; // of the pixels of a soft mask that border on another number, more lie between a lower and a higher one

  function range(values) {
    let least = 255, most = 0;
    for (const value of values) {
      if (value < least) least = value;
      if (value > most) most = value;
    }
    return [least, most];
  }

  /** Whether numbers are probabilities, which rise across a boundary, and not those of a label map, which fill areas. */
  function isSoft({ width, height }, numbers) {
    let borders = 0, slopes = 0;
    numbers.forEach((number, place) => {
      if (!number || number === 255) return;
      const x = place % width, y = Math.floor(place / width), around = [];
      for (let row = Math.max(y - 1, 0); row < Math.min(y + 2, height); row++) {
        for (let column = Math.max(x - 1, 0); column < Math.min(x + 2, width); column++) around.push(numbers[row * width + column]);
      }
      const [least, most] = range(around);
      borders += least < most;
      slopes += least < number && number < most;
    });
    return slopes > SLOPE * borders;
  }

  /** {width, height, at} of {width, height, data}, RGBA; an error in one line if it may hold several objects, or none. */
  web.readMask = function (picture, name) {
    const { width, height, data } = picture;
    const pixels = (number) => Uint8Array.from({ length: width * height }, (_, place) => number(4 * place));
    const mask = (foreground) => {
      const at = foreground.map(Number);
      if (!at.includes(1)) throw new Error(`${name}: expected a mask with a foreground, got one that is 0 everywhere; draw or choose another`);
      return { width, height, at };
    };
    const opacity = pixels((place) => data[place + 3]), [thinnest, thickest] = range(opacity);
    if (thickest - thinnest >= VARIES) return mask(opacity.map((value) => value > (thinnest + thickest) / 2));
    let brightest = [0, 0, 0];
    for (let place = 0; place < data.length; place += 4) {
      if (data[place] + data[place + 1] + data[place + 2] > brightest[0] + brightest[1] + brightest[2]) brightest = [...data.subarray(place, place + 3)];
    }
    const power = brightest.reduce((total, value) => total + value * value, 0) || 1;
    const full = Math.max(...brightest), levels = new Set();
    const numbers = pixels((place) => {
      const share = [0, 1, 2].reduce((total, colour) => total + data[place + colour] * brightest[colour], 0) / power;
      if (brightest.some((value, colour) => Math.abs(data[place + colour] - share * value) > NEAR)) {
        throw new Error(`${name}: expected one object, white on black, got several colours; save each object as a picture of its own`);
      }
      const number = Math.round(share * full);
      levels.add(number);
      return number;
    });
    const darkest = Math.min(...levels);
    if (levels.size <= 2) return mask(numbers.map((number) => number && (levels.size < 2 || number > darkest)));
    if (full <= 127 || !isSoft(picture, numbers)) {
      throw new Error(`${name}: expected one object, got ${levels.size} numbers in flat areas; save each object white on black`);
    }
    return mask(numbers.map((number) => number > 127));
  };
})((globalThis.bprWeb ??= {}));
