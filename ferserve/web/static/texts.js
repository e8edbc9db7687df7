// Every text of the page: [English, German, Spanish]. {name} is filled in.
export const LANGUAGES = ["en", "de", "es"];

export const TEXTS = {
  skip: ["Skip to the content", "Zum Inhalt springen", "Saltar al contenido"],
  tabs: ["What to look at", "Was angesehen wird", "Qué mirar"],
  language: ["Language", "Sprache", "Idioma"],
  theme: ["Colours", "Farben", "Colores"],
  "theme.auto": ["Automatic", "Automatisch", "Automático"],
  "theme.light": ["Light", "Hell", "Claro"],
  "theme.dark": ["Dark", "Dunkel", "Oscuro"],
  people: ["Faces", "Gesichter", "Caras"],
  landmarks: ["Landmarks", "Landmarken", "Puntos faciales"],
  dismiss: ["Dismiss", "Schließen", "Cerrar"],
  "save.picture": ["Save picture", "Bild sichern", "Guardar imagen"],
  "save.json": ["Save JSON", "JSON sichern", "Guardar JSON"],
  "save.csv": ["Save CSV", "CSV sichern", "Guardar CSV"],

  "picture.tab": ["Pictures", "Bilder", "Imágenes"],
  "picture.choose": ["Choose pictures", "Bilder auswählen", "Elige imágenes"],
  "picture.how": [
    "or drop or paste them here: JPEG, PNG, WebP, BMP; as many as you like",
    "oder hierher ziehen oder einfügen: JPEG, PNG, WebP, BMP; beliebig viele",
    "o suéltalas o pégalas aquí: JPEG, PNG, WebP, BMP; tantas como quieras",
  ],
  "picture.shelf": ["Chosen pictures", "Gewählte Bilder", "Imágenes elegidas"],
  "picture.clear": ["Clear", "Leeren", "Vaciar"],
  "picture.waiting": ["Looking …", "Wird angesehen …", "Mirando …"],
  "picture.alt": ["{name}: {count}", "{name}: {count}", "{name}: {count}"],
  "picture.nopreview": [
    "This browser cannot show this kind of picture; the faces are marked all the same.",
    "Dieser Browser kann diese Art Bild nicht zeigen; die Gesichter sind trotzdem markiert.",
    "Este navegador no puede mostrar este tipo de imagen; las caras están marcadas igualmente.",
  ],

  "camera.tab": ["Camera", "Kamera", "Cámara"],
  "camera.start": ["Start the camera", "Kamera starten", "Iniciar la cámara"],
  "camera.demo": ["Watch the demo clip", "Demofilm ansehen", "Ver el vídeo de muestra"],
  "camera.stop": ["Stop", "Stopp", "Detener"],
  "camera.device": ["Camera", "Kamera", "Cámara"],
  "camera.nth": ["Camera {n}", "Kamera {n}", "Cámara {n}"],
  "camera.clip": ["Demo clip", "Demofilm", "Vídeo de muestra"],
  "camera.neutral": ["Set neutral face", "Neutrales Gesicht setzen", "Fijar cara neutra"],
  "camera.neutral.now": ["Look neutral, please …", "Bitte neutral schauen …", "Pon cara neutra, por favor …"],
  "camera.neutral.done": [
    "Calibrated on your neutral face.", "Auf Ihr neutrales Gesicht eingestellt.", "Calibrado con tu cara neutra.",
  ],
  "camera.record": ["Record results", "Ergebnisse aufzeichnen", "Grabar resultados"],
  "camera.recording": ["Save {rows} rows", "{rows} Zeilen sichern", "Guardar {rows} filas"],
  "camera.record.full": [
    "The recording is full and was saved.", "Die Aufzeichnung ist voll und wurde gesichert.",
    "La grabación está llena y se ha guardado.",
  ],
  "camera.mirror": ["Mirror", "Spiegeln", "Espejo"],
  "camera.starting": ["Starting …", "Startet …", "Iniciando …"],
  "camera.slow": [
    "Waiting for the server …", "Warten auf den Server …", "Esperando al servidor …",
  ],
  "camera.again": [
    "The connection broke. Trying again …", "Die Verbindung brach ab. Neuer Versuch …",
    "Se perdió la conexión. Reintentando …",
  ],
  "camera.busy": [
    "The server is busy; frames are skipped.", "Der Server ist ausgelastet; Bilder werden übersprungen.",
    "El servidor está ocupado; se saltan imágenes.",
  ],

  "consent.title": ["Before the camera starts", "Bevor die Kamera startet", "Antes de iniciar la cámara"],
  "consent.where": [
    "Pictures go to this server alone, {host}, which keeps none. No sound is taken. You can record results, never video.",
    "Bilder gehen allein an diesen Server, {host}, und er behält keines. Ton wird nicht aufgenommen. Aufzeichnen lassen sich Ergebnisse, nie das Video.",
    "Las imágenes van solo a este servidor, {host}, que no guarda ninguna. No se toma sonido. Se pueden grabar resultados, nunca el vídeo.",
  ],
  "consent.what": [
    "An expression is not a feeling, and the model is wrong often enough that nothing of weight should hang on an answer.",
    "Ein Ausdruck ist kein Gefühl, und das Modell irrt oft genug, dass nichts Wichtiges an einer Antwort hängen sollte.",
    "Una expresión no es un sentimiento, y el modelo se equivoca lo bastante como para que nada importante dependa de una respuesta.",
  ],
  "consent.law": [
    "In the European Union, inferring emotions at work and in education is forbidden, and people must be told that they are watched (AI Act, Articles 5(1)(f) and 50(3)).",
    "In der Europäischen Union ist es verboten, Emotionen am Arbeitsplatz und in der Bildung zu erkennen, und Menschen müssen davon wissen (KI-Verordnung, Artikel 5(1)(f) und 50(3)).",
    "En la Unión Europea está prohibido inferir emociones en el trabajo y en la educación, y hay que informar a las personas (Reglamento de IA, artículos 5(1)(f) y 50(3)).",
  ],
  "consent.agree": [
    "I agree, and so does everyone in front of the camera.",
    "Ich bin einverstanden, und alle vor der Kamera sind es auch.",
    "Estoy de acuerdo, y también todas las personas ante la cámara.",
  ],

  "meter.fps": ["Results/s", "Ergebnisse/s", "Resultados/s"],
  "meter.trip": ["Round trip", "Hin und zurück", "Ida y vuelta"],
  "meter.server": ["In the server", "Im Server", "En el servidor"],
  "meter.skipped": ["Skipped", "Übersprungen", "Saltadas"],
  "meter.size": ["Size", "Größe", "Tamaño"],
  "meter.stages": [
    "queue {queue}, decode {decode}, detect {detect}, crop {preprocess}, infer {infer} ms",
    "warten {queue}, dekodieren {decode}, suchen {detect}, zuschneiden {preprocess}, rechnen {infer} ms",
    "espera {queue}, decodificar {decode}, detectar {detect}, recortar {preprocess}, inferir {infer} ms",
  ],

  "video.tab": ["Video", "Video", "Vídeo"],
  "video.choose": ["Choose a video", "Ein Video auswählen", "Elige un vídeo"],
  "video.how": [
    "or drop it here. It is read in this browser; its frames go to this server alone.",
    "oder hierher ziehen. Es wird in diesem Browser gelesen; seine Bilder gehen allein an diesen Server.",
    "o suéltalo aquí. Se lee en este navegador; sus imágenes van solo a este servidor.",
  ],
  "video.scrub": ["Position in the video", "Stelle im Video", "Posición en el vídeo"],
  "video.play": ["Play", "Abspielen", "Reproducir"],
  "video.pause": ["Pause", "Pause", "Pausa"],
  "video.halt": ["Stop reading", "Lesen beenden", "Dejar de leer"],
  "video.clear": ["Another video", "Anderes Video", "Otro vídeo"],
  "video.reading": [
    "{done} of {all} frames", "{done} von {all} Bildern", "{done} de {all} imágenes",
  ],
  "video.done": [
    "{done} frames at {fps} per second", "{done} Bilder, {fps} je Sekunde", "{done} imágenes, {fps} por segundo",
  ],

  "face.none": ["No face is seen.", "Kein Gesicht zu sehen.", "No se ve ninguna cara."],
  "face.nobody": [
    "Faces and what they express appear here.", "Hier erscheinen Gesichter und ihr Ausdruck.",
    "Aquí aparecen las caras y su expresión.",
  ],
  "face.count": ["{n} faces", "{n} Gesichter", "{n} caras"],
  "face.one": ["1 face", "1 Gesicht", "1 cara"],
  "face.person": ["Face {n}", "Gesicht {n}", "Cara {n}"],
  "face.unsure": ["not sure", "nicht sicher", "sin certeza"],
  "face.maybe": ["not sure: maybe {label}", "nicht sicher: vielleicht {label}", "sin certeza: quizá {label}"],
  "face.raw": ["this frame alone: {label} {share}", "dieses Bild allein: {label} {share}", "solo esta imagen: {label} {share}"],
  "face.chart": ["Probabilities of the last 30 seconds", "Wahrscheinlichkeiten der letzten 30 Sekunden", "Probabilidades de los últimos 30 segundos"],
  "face.says": ["Face {n}: {label}", "Gesicht {n}: {label}", "Cara {n}: {label}"],

  "foot.title": ["A face's expression is not a feeling.", "Ein Gesichtsausdruck ist kein Gefühl.", "La expresión de una cara no es un sentimiento."],
  "foot.use": [
    "The models are wrong often enough that nothing of weight should hang on one answer. Do not use them on people at work or in education, and tell everyone who is seen.",
    "Die Modelle irren oft genug, dass nichts Wichtiges an einer Antwort hängen sollte. Nutzen Sie sie nicht bei Menschen in Arbeit oder Bildung, und sagen Sie es allen, die zu sehen sind.",
    "Los modelos se equivocan lo bastante como para que nada importante dependa de una respuesta. No los uses con personas en el trabajo o en la educación, e informa a quienes se vean.",
  ],
  "foot.privacy": [
    "What you show goes to this server alone; it keeps no picture, and this page loads nothing from elsewhere.",
    "Was Sie zeigen, geht allein an diesen Server; er behält kein Bild, und diese Seite lädt nichts von anderswo.",
    "Lo que muestras va solo a este servidor; no guarda ninguna imagen, y esta página no carga nada de otros sitios.",
  ],
  "foot.api": ["API for web apps", "API für Web-Apps", "API para aplicaciones web"],

  "token.title": ["This server asks for a token", "Dieser Server verlangt ein Token", "Este servidor pide un token"],
  "token.text": [
    "Whoever runs it can give you one. It is kept in this tab only.",
    "Wer ihn betreibt, kann Ihnen eines geben. Es bleibt nur in diesem Tab.",
    "Quien lo administra puede darte uno. Se guarda solo en esta pestaña.",
  ],
  "token.field": ["Token", "Token", "Token"],
  "token.use": ["Use it", "Verwenden", "Usarlo"],

  "error.invalid_frame": ["{name} is no picture that can be read.", "{name} ist kein lesbares Bild.", "{name} no es una imagen legible."],
  "error.too_large": [
    "{name} is too large: {size} MB; at most {most} MB can be sent. Scale it down.",
    "{name} ist zu groß: {size} MB; höchstens {most} MB gehen. Verkleinern Sie es.",
    "{name} es demasiado grande: {size} MB; se admiten {most} MB como máximo. Redúcela.",
  ],
  "error.unreachable": [
    "The server cannot be reached. Is it running, and are you online?",
    "Der Server ist nicht erreichbar. Läuft er, und sind Sie online?",
    "No se puede contactar con el servidor. ¿Está en marcha y tienes conexión?",
  ],
  "error.overloaded": ["The server is busy. Try again in a moment.", "Der Server ist ausgelastet. Gleich noch einmal versuchen.", "El servidor está ocupado. Inténtalo en un momento."],
  "error.unauthenticated": ["The token is not valid.", "Das Token ist nicht gültig.", "El token no es válido."],
  "error.other": ["The server refused this.", "Der Server hat das abgelehnt.", "El servidor lo ha rechazado."],
  "error.refused": [
    "The browser may not use the camera. Allow it in the address bar, then start again.",
    "Der Browser darf die Kamera nicht nutzen. Erlauben Sie es in der Adresszeile und starten Sie neu.",
    "El navegador no puede usar la cámara. Permítelo en la barra de direcciones y vuelve a iniciar.",
  ],
  "error.nocamera": [
    "No camera was found. Plug one in, then start again.",
    "Keine Kamera gefunden. Schließen Sie eine an und starten Sie neu.",
    "No se encontró ninguna cámara. Conecta una y vuelve a iniciar.",
  ],
  "error.inuse": [
    "The camera cannot be opened. Does another program use it?",
    "Die Kamera lässt sich nicht öffnen. Nutzt sie ein anderes Programm?",
    "No se puede abrir la cámara. ¿La usa otro programa?",
  ],
  "error.unplugged": [
    "The camera is gone. Plug it in, then start again.",
    "Die Kamera ist weg. Schließen Sie sie an und starten Sie neu.",
    "La cámara se ha desconectado. Conéctala y vuelve a iniciar.",
  ],
  "error.insecure": [
    "Browsers lend the camera only to pages over https or on this machine itself. Give the server a certificate, or open the page as localhost.",
    "Browser geben die Kamera nur Seiten über https oder auf diesem Rechner selbst. Geben Sie dem Server ein Zertifikat, oder öffnen Sie die Seite als localhost.",
    "Los navegadores solo dan la cámara a páginas por https o de este mismo equipo. Da un certificado al servidor o abre la página como localhost.",
  ],
  "error.video": [
    "{name} is no video that this browser can play.",
    "{name} ist kein Video, das dieser Browser abspielen kann.",
    "{name} no es un vídeo que este navegador pueda reproducir.",
  ],

  "label.neutral": ["neutral", "neutral", "neutral"],
  "label.happiness": ["happiness", "Freude", "alegría"],
  "label.surprise": ["surprise", "Überraschung", "sorpresa"],
  "label.sadness": ["sadness", "Trauer", "tristeza"],
  "label.anger": ["anger", "Ärger", "enfado"],
  "label.disgust": ["disgust", "Ekel", "asco"],
  "label.fear": ["fear", "Angst", "miedo"],
  "label.contempt": ["contempt", "Verachtung", "desprecio"],
  "label.angry": ["angry", "ärgerlich", "enfadado"],
  "label.happy": ["happy", "froh", "feliz"],
  "label.sad": ["sad", "traurig", "triste"],
};
