// A page that was opened as a file may start no worker, so the search's runs in a hidden frame of the page instead.
// "iframe-worker" in this file's name keeps Material's offline plugin from asking another host for one.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.appendChild(this.frame);
      const inside = this.frame.contentWindow;
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      inside.importScripts = (...addresses) => Promise.all(addresses.map((address) => this.add(address)));
      this.ready = this.add(url);
    }

    add(address) {
      const script = this.frame.contentDocument.createElement("script");
      script.src = address;
      const loaded = new Promise((resolve, reject) => {
        script.onload = resolve;
        script.onerror = () => reject(new Error(`${address} cannot be read`));
      });
      this.frame.contentDocument.body.appendChild(script);
      return loaded;
    }

    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
